import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { AnswerStreams } from './answer-stream.ts';
import type { CallPeer, ToolProgress } from './types.ts';

const MAX_PROGRESS_CHARS = 200;

/** The calls that are under way on one connection, and whose of them a request of the server is for. */
export class CallPeers {
  readonly #answers: AnswerStreams;
  readonly #peers = new Map<string, CallPeer>();
  readonly #scrub: (text: string) => string;
  readonly #metaKey: string;

  constructor(metaKey: string, scrub: (text: string) => string) {
    this.#answers = new AnswerStreams(metaKey);
    this.#scrub = scrub;
    this.#metaKey = metaKey;
  }

  /** Calls `onLost` when the stream of the call's answer ends without one. @returns what to call when the call is over */
  add(key: string, peer: CallPeer, onLost: () => void): () => void {
    const unwatch = this.#answers.watch(key, onLost);
    this.#peers.set(key, peer);
    return () => {
      unwatch();
      this.#peers.delete(key);
    };
  }

  /** A fetch whose answers are watched. */
  wrap(fetch: FetchLike): FetchLike {
    return this.#answers.wrap(fetch);
  }

  /** Over HTTP a request's stream says whose call it is; otherwise it is certain only while one interaction calls. */
  of(requestId: string | number): CallPeer | undefined {
    const key = this.#answers.callOf(requestId);
    if (key !== undefined) return this.#peers.get(key);
    const peers = [...this.#peers.values()];
    const [first] = peers;
    return peers.every((peer) => peer.interactionId === first?.interactionId) ? first : undefined;
  }

  /** By the metadata of the call itself. */
  ofCall(meta: Record<string, unknown>): CallPeer | undefined {
    const key = meta[this.#metaKey];
    return typeof key === 'string' ? this.#peers.get(key) : undefined;
  }

  progress(peer: CallPeer, { progress, total, message }: ToolProgress): void {
    const words = message === undefined ? {} : { message: this.#scrub(message).slice(0, MAX_PROGRESS_CHARS) };
    peer.progress?.({ progress, total, ...words });
  }
}
