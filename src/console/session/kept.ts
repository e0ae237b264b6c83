const PREFIX = 'floorwalker.';

/** What this browser remembers of a person's choices. Private windows may refuse: then it lasts until the reload. */
export function kept(key: string): string | null {
  try {
    return localStorage.getItem(PREFIX + key);
  } catch {
    return null;
  }
}

export function keep(key: string, value: string): void {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // Nothing depends on it.
  }
}
