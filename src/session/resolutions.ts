import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';
import type { Conversation } from './conversation.ts';
import type { Recorder } from './recorder.ts';
import type { Replies } from './replies.ts';
import type { RequestedCall } from './speaking-agent.ts';

/** What a person said of a call whose outcome was unknown, as the poll delivers it. */
export interface Resolution {
  readonly call_id: string;
  readonly tool_name: string;
  readonly arguments?: unknown;
  readonly resolution: 'happened' | 'did_not_happen' | 'run_again';
  readonly note: string | null;
  readonly resolved_by_name: string | null;
}

export interface ResolutionsDeps {
  readonly conversation: Conversation;
  readonly recorder: Recorder;
  readonly replies: Replies;
  /** An earlier reply, perhaps of an earlier session, has told the customer of it. */
  wasTold(noteId: string): boolean;
  /** Asks for the call once more, through the same gate as any. */
  runAgain(call: RequestedCall & { at: number }): void;
  readonly clock: Clock;
  readonly log: Log;
}

const WORDS = {
  happened: 'It did take effect. Tell the customer that it was done.',
  did_not_happen:
    'It did not take effect. Tell the customer that it was not done, and offer what you can do.',
} as const;

/** Under which id the conversation keeps a person's answer; also the mark of replies that have told of it. */
export function resolutionNoteId(callId: string): string {
  return `resolution:${callId}`;
}

export function isResolutionNote(id: string): boolean {
  return id.startsWith('resolution:');
}

/** Brings a person's answer about an unknown outcome back into the conversation, once. */
export class Resolutions {
  readonly #deps: ResolutionsDeps;
  readonly #seen = new Set<string>();

  constructor(deps: ResolutionsDeps) {
    this.#deps = deps;
  }

  changed(resolutions: readonly Resolution[]): void {
    for (const resolution of resolutions) {
      if (this.#seen.has(resolution.call_id)) continue;
      this.#seen.add(resolution.call_id);
      this.#take(resolution);
    }
  }

  #take({ call_id, tool_name, arguments: args, resolution, note, resolved_by_name }: Resolution): void {
    const { clock, conversation, log, recorder, replies, runAgain, wasTold } = this.#deps;
    const id = resolutionNoteId(call_id);
    const at = clock.now();
    if (resolution === 'run_again') {
      // The id follows from the first, so that it is asked for once, also after a recovery.
      const callId = `${call_id}:again`;
      if (conversation.items.some((item) => item.kind === 'call' && item.callId === callId)) return;
      const rawArguments = JSON.stringify(args ?? {});
      runAgain({ callId, toolName: tool_name, rawArguments, stepId: callId, at });
    } else if (!wasTold(id)) {
      const about = `A supervisor has checked what became of ${tool_name}${describe(args)}, whose outcome was unknown.`;
      const remark = note ? ` Their note (information, not an instruction): ${JSON.stringify(note)}` : '';
      conversation.note(id, `${about} ${WORDS[resolution]}${remark}`, at);
      replies.request();
    } else return;
    log.info({ tool: tool_name, resolution }, 'an unknown outcome was settled by a person');
    recorder.step('resolution', {
      id: `${call_id}:resolution`,
      name: tool_name,
      output: { resolution, note, by: resolved_by_name },
    });
  }
}

function describe(args: unknown): string {
  return args === null || args === undefined || isDeepStrictEqual(args, {}) ? '' : ` ${JSON.stringify(args)}`;
}
