import { z } from 'zod';
import type { Rpc } from '../serving/rpc.ts';
import type { Chunk } from './chunks.ts';

export const STATUSES = ['pending', 'processing', 'ready', 'failed'] as const;

export const documentSchema = z.object({
  id: z.string(),
  source: z.string(),
  title: z.string(),
  mime_type: z.string(),
  byte_size: z.number(),
  chunks: z.number(),
  indexed_at: z.string().nullable(),
  status: z.enum(STATUSES),
  error: z.string().nullable(),
});
export type LibraryDocument = z.output<typeof documentSchema>;

export const resultSchema = z.object({
  text: z.string(),
  document: z.string(),
  source: z.string(),
  document_id: z.string(),
  position: z.number(),
  heading: z.string().nullable(),
  page: z.number().nullable(),
  found_by: z.enum(['words', 'meaning', 'both']),
});

export const partSchema = resultSchema.pick({ position: true, heading: true, page: true, text: true });

const searchSchema = z.object({
  by: z.enum(['words', 'words and meaning']),
  results: z.array(resultSchema),
});
const readSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('found'),
    document: z.string(),
    source: z.string(),
    chunks: z.number(),
    parts: z.array(partSchema),
  }),
  z.object({ outcome: z.literal('not_found') }),
]);
const registeredSchema = z.object({
  outcome: z.enum(['pending', 'unchanged']),
  id: z.string(),
  chunks: z.number(),
});
const vectorsSchema = z.object({ vectors: z.boolean(), reason: z.string().optional() });
const addedSchema = z.object({ outcome: z.enum(['added', 'superseded']) });
const finishedSchema = z.object({
  outcome: z.enum(['ready', 'failed', 'superseded']),
  chunks: z.number().optional(),
});

export interface NewDocument {
  readonly source: string;
  readonly title: string;
  readonly mime_type: string;
  readonly byte_size: number;
  readonly checksum: string;
}

export interface Attempt {
  readonly businessId: string;
  readonly documentId: string;
  readonly attempt: number;
}

/** Documents and what they say, through the database's functions. */
export class Library {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async search(
    businessId: string,
    wanted: {
      query: string;
      language: string;
      vector: { model: string; embedding: readonly number[] } | undefined;
      documentId: string | undefined;
      limit: number;
    },
  ) {
    const { query, language, vector, documentId, limit } = wanted;
    return searchSchema.parse(
      await this.#rpc('knowledge_search', {
        p_business_id: businessId,
        p_query: query,
        p_language: language,
        p_embedding: vector === undefined ? null : JSON.stringify(vector.embedding),
        p_model: vector === undefined ? null : vectorName(vector.model, vector.embedding),
        p_document_id: documentId ?? null,
        p_limit: limit,
      }),
    );
  }

  async read(businessId: string, documentId: string, from: number, count: number) {
    const args = { p_business_id: businessId, p_document_id: documentId, p_from: from, p_count: count };
    return readSchema.parse(await this.#rpc('knowledge_read', args));
  }

  async list(businessId: string, status: string | undefined, limit = 500): Promise<LibraryDocument[]> {
    const args = { p_business_id: businessId, p_status: status ?? null, p_limit: limit };
    return z.array(documentSchema).parse(await this.#rpc('knowledge_list', args));
  }

  /** Whether the database has pgvector; makes the place for vectors where it has. */
  async enableVectors() {
    return vectorsSchema.parse(await this.#rpc('knowledge_enable_vectors', {}));
  }

  async register(businessId: string, document: NewDocument, force: boolean) {
    const args = { p_business_id: businessId, p_document: document, p_force: force };
    return registeredSchema.parse(await this.#rpc('knowledge_register', args));
  }

  async begin(businessId: string, documentId: string): Promise<Attempt> {
    const args = { p_business_id: businessId, p_document_id: documentId };
    const { attempt } = z.object({ attempt: z.number() }).parse(await this.#rpc('knowledge_begin', args));
    return { businessId, documentId, attempt };
  }

  async add(
    attempt: Attempt,
    given: {
      language: string;
      chunks: readonly Chunk[];
      vectors: { model: string; embeddings: readonly (readonly number[])[] } | undefined;
    },
  ) {
    const { language, chunks, vectors } = given;
    const first = vectors?.embeddings[0];
    return addedSchema.parse(
      await this.#rpc('knowledge_add_chunks', {
        ...attemptArgs(attempt),
        p_language: language,
        p_model: vectors === undefined || first === undefined ? null : vectorName(vectors.model, first),
        p_chunks: chunks.map(({ position, heading, page, body }, index) => ({
          position,
          heading: heading ?? null,
          page: page ?? null,
          body,
          embedding: vectors === undefined ? null : JSON.stringify(vectors.embeddings[index]),
        })),
      }),
    );
  }

  /** With an error the attempt has failed; without one, its chunks are what is found from now on. */
  async finish(attempt: Attempt, title: string | undefined, error: string | undefined) {
    const args = { ...attemptArgs(attempt), p_title: title ?? null, p_error: error ?? null };
    return finishedSchema.parse(await this.#rpc('knowledge_finish', args));
  }

  async remove(businessId: string, source: string): Promise<boolean> {
    const args = { p_business_id: businessId, p_source: source };
    const { outcome } = z.object({ outcome: z.string() }).parse(await this.#rpc('knowledge_remove', args));
    return outcome === 'removed';
  }
}

/** Vectors of one model and length are compared with each other only. */
function vectorName(model: string, embedding: readonly number[]): string {
  return `${model}:${embedding.length}`;
}

function attemptArgs({ businessId, documentId, attempt }: Attempt) {
  return { p_business_id: businessId, p_document_id: documentId, p_attempt: attempt };
}
