/** Where a browser lets a page keep a text: `undefined` when it has none, or keeps none here. */
export interface Keeping {
  read(): string | undefined;
  write(text: string | undefined): void;
}

/** In this tab, and gone with it. @throws where the browser forbids it */
function inTab(key: string): Keeping {
  // Asking for it is what is forbidden.
  const storage = sessionStorage;
  return {
    read: () => storage.getItem(key) ?? undefined,
    write: (text) => (text === undefined ? storage.removeItem(key) : storage.setItem(key, text)),
  };
}

const COOKIE = 'floorwalker_conversation';
/** As long as the API lets a customer back in after the last page was left; renewed while one is open. */
const COOKIE_SECONDS = 600;
const RENEW_MS = 60_000;
/** Browsers take 4,096 characters with the name and all attributes. */
const LONGEST_COOKIE = 3_600;

/**
 * In a cookie that exists only in our frame on this very shop (it is partitioned), and only at this page's address: no
 * request but that for the page itself carries it, and no script of the shop can read it. Browsers that keep nothing
 * for frames of other sites, private windows among them, still keep this.
 */
function inPartition(): Keeping {
  const attributes = `Path=${location.pathname}; Secure; SameSite=None; Partitioned`;
  let renewing: ReturnType<typeof setInterval> | undefined;
  const put = (value: string, seconds: number): void => {
    // biome-ignore lint/suspicious/noDocumentCookie: not all browsers have the Cookie Store API
    document.cookie = `${COOKIE}=${value}; Max-Age=${seconds}; ${attributes}`;
  };
  const keep = (value: string): void => {
    clearInterval(renewing);
    put(value, COOKIE_SECONDS);
    renewing = setInterval(() => put(value, COOKIE_SECONDS), RENEW_MS);
  };
  return {
    read() {
      const entry = document.cookie.split('; ').find((one) => one.startsWith(`${COOKIE}=`));
      const value = entry?.slice(COOKIE.length + 1);
      if (!value) return undefined;
      keep(value);
      return decodeURIComponent(value);
    },
    write(text) {
      const value = text === undefined ? '' : encodeURIComponent(text);
      if (value.length > LONGEST_COOKIE) throw new RangeError('too long for a cookie');
      if (value !== '') return keep(value);
      clearInterval(renewing);
      put('', 0);
    },
  };
}

/** The best that the browser allows here. */
export function findKeeping(key: string): Keeping {
  try {
    return inTab(key);
  } catch {
    return inPartition();
  }
}
