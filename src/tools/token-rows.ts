import type { Database } from '../database/client.ts';
import { loadToolTokens, saveToolTokens } from '../database/tool-tokens.ts';
import { createTokenStore, type TokenStore } from './oauth-tokens.ts';

/** The tokens of tool servers in the database; none where no key is set, so that nothing is ever stored in the open. */
export function createToolTokens(
  db: Database,
  config: { tokenKeys(): readonly string[] },
): TokenStore | undefined {
  const keys = config.tokenKeys();
  if (keys.length === 0) return undefined;
  return createTokenStore(
    {
      load: (key) => loadToolTokens(db, key),
      save: (key, sealed, version) => saveToolTokens(db, key, sealed, version),
    },
    keys,
  );
}
