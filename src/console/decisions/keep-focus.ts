import { type RefObject, useLayoutEffect } from 'react';

/** What had the keyboard's attention and goes away hands it on, so that nobody starts anew at the top of the page. */
export function useKeepFocus(
  place: RefObject<HTMLElement | null>,
  next: (place: HTMLElement) => HTMLElement | null,
): void {
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is about the moment of leaving, not about changes
  useLayoutEffect(() => {
    const element = place.current;
    return () => {
      if (element?.contains(document.activeElement)) next(element)?.focus();
    };
  }, []);
}
