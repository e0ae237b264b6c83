/** A piece of a document in reading order. */
export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly text: string }
  | { readonly kind: 'text'; readonly text: string; readonly page?: number };

export interface ReadDocument {
  readonly title: string | undefined;
  readonly blocks: readonly Block[];
}

/** Why a document can't be read, for the person who wants it read. */
export class UnreadableDocument extends Error {}
