import { useCallback, useEffect, useState } from 'react';
import { useUserId } from './app-context.ts';

const PREFIX = 'floorwalker.draft.';

/** In this tab only, and gone with it: what is half written may be about a customer. */
function read(key: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

function write(key: string, text: string | null): void {
  try {
    if (text === null) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, text);
  } catch {
    // Then it lasts as long as the field is shown.
  }
}

/** Of those who leave this browser, nothing half written stays behind. */
export function forgetDrafts(): void {
  try {
    for (const key of Object.keys(sessionStorage)) {
      if (key.startsWith(PREFIX)) sessionStorage.removeItem(key);
    }
  } catch {
    // Then there are none.
  }
}

/**
 * What this person is writing, kept over a reload and a look at another page; `null` while they write nothing.
 * @param name the field and what it is about
 */
export function useDraft(name: string): [draft: string | null, setDraft: (draft: string | null) => void] {
  const key = `${useUserId()} ${name}`;
  const [draft, show] = useState(() => read(key));
  const setDraft = useCallback(
    (next: string | null): void => {
      write(key, next);
      show(next);
    },
    [key],
  );
  return [draft, setDraft];
}

/**
 * The same for a field that otherwise shows what is saved; what says just that is no draft any more.
 * @param saved without it the field is empty, and is so again when its text was sent
 */
export function useDraftText(name: string, saved = ''): [text: string, setText: (text: string) => void] {
  const [draft, setDraft] = useDraft(name);
  useEffect(() => {
    if (draft === saved) setDraft(null);
  }, [draft, saved, setDraft]);
  return [draft ?? saved, setDraft];
}
