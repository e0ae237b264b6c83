interface KeyPress {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly target: EventTarget;
  preventDefault(): void;
}

/** Enter sends and Shift+Enter makes a new line, as in any chat; a word that an input method composes is left alone. */
export function submitOnEnter(
  event: KeyPress & { readonly nativeEvent?: { readonly isComposing?: boolean } },
): void {
  if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent?.isComposing) return;
  event.preventDefault();
  if (event.target instanceof HTMLElement) event.target.closest('form')?.requestSubmit();
}
