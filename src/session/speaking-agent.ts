import { randomUUID } from 'node:crypto';
import { ReadableStream, TransformStream } from 'node:stream/web';
import { llm, type stt, voice } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { maskCardNumbers } from '../domain/card-numbers.ts';
import type { Log } from '../log.ts';
import { isBackchannel } from './backchannel.ts';
import { type Clock, delay } from './clock.ts';
import type { Guess } from './head-start.ts';
import { type LadderStep, ModelHangs, type ModelLadder } from './model-ladder.ts';

/** A tool as the model sees it; running it is the ledger's business. */
export interface OfferedTool {
  readonly name: string;
  readonly description: string;
  readonly inputSchema: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly chatCtx: llm.ChatContext;
  readonly tools: readonly OfferedTool[];
  readonly toolChoice: 'auto' | 'none';
}

export interface RequestedCall {
  readonly callId: string;
  readonly toolName: string;
  readonly rawArguments: string;
  readonly stepId: string;
}

export interface SpeakingAgentDeps {
  /** Builds what the model is asked; called at the moment of asking, so that nothing said meanwhile is missed. */
  buildRequest(speculative: llm.ChatMessage | undefined, guess: Guess | undefined): Promise<ModelRequest>;
  /** The reply that is begun with these words although their turn is not over, if they are such. */
  guessAbout(words: llm.ChatMessage): Guess | undefined;
  onToolCall(call: RequestedCall): void;
  /**
   * The customer's turn by voice is complete; false when the agent must stay silent. A guess is given up when `context`
   * is changed.
   */
  onCustomerTurn(message: llm.ChatMessage, context: llm.ChatContext): boolean;
  /**
   * The model has given all of its reply; the customer is not shown its end before this resolves, so that what
   * they saw end is stored.
   */
  onReplyComplete(text: string): Promise<void>;
  /** The agent is in the middle of saying something. */
  isSpeaking(): boolean;
  /** The agent begins to say something; the returned function hears each part of it. */
  onUtterance(): (part: string) => void;
  onModelFailure(failure: { attempt: number; model: string; error: unknown; final: boolean }): void;
  /** The model would not come to an end; the customer has what it said until then. */
  onEndlessReply(): void;
  /** Which model is asked, and which next when that one can't answer. */
  readonly models: ModelLadder;
  onAnswered(): void;
  /** What is said in the place of a reply that no model could give. */
  apology(): Promise<string>;
  /** Longest wait for the first and for each further part of an answer. */
  readonly tokenTimeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Every call arrives here whatever its name, so that an unknown tool or broken arguments get their row too. */
const CALL_TOOL = 'floorwalker_call';

/** Characters; a model that repeats itself without end is stopped there. */
const LONGEST_REPLY = 32_000;

/**
 * The framework's agent, reduced to hearing and speaking: what the model is asked and what its tool calls
 * do is decided by the session. A tool call returns to the framework at once and without an output, because
 * the framework drops or repeats outputs of calls that outlast an interruption; the session asks for the
 * next reply itself when the ledger has settled the calls.
 */
export class SpeakingAgent extends voice.Agent {
  readonly #deps: SpeakingAgentDeps;
  readonly #requested = new Map<string, { toolName: string; rawArguments: string }>();

  constructor(deps: SpeakingAgentDeps) {
    super({
      instructions: '',
      tools: [
        llm.tool({
          name: CALL_TOOL,
          description: 'Internal.',
          parameters: { type: 'object', properties: {} },
          execute: async (_args, { toolCallId, ctx }) => {
            const requested = this.#requested.get(toolCallId);
            this.#requested.delete(toolCallId);
            if (requested) deps.onToolCall({ callId: toolCallId, stepId: ctx.speechHandle.id, ...requested });
          },
        }),
      ],
    });
    this.#deps = deps;
  }

  override async llmNode(chatCtx: llm.ChatContext): Promise<ReadableStream<llm.ChatChunk | string>> {
    const last = chatCtx.items.at(-1);
    const speculative = last?.type === 'message' && last.role === 'user' ? last : undefined;
    return ReadableStream.from(this.#reply(speculative, speculative && this.#deps.guessAbout(speculative)));
  }

  override async onUserTurnCompleted(context: llm.ChatContext, message: llm.ChatMessage): Promise<void> {
    if (!this.#deps.onCustomerTurn(message, context)) throw new voice.StopResponse();
  }

  /** Card numbers are masked where speech becomes text, before anything keeps, shows or forwards it. */
  override async sttNode(
    audio: ReadableStream<AudioFrame>,
    modelSettings: voice.ModelSettings,
  ): Promise<ReadableStream<stt.SpeechEvent | string> | null> {
    const events = await voice.Agent.default.sttNode(this, audio, modelSettings);
    return events === null ? null : ReadableStream.from(maskEvents(events, () => this.#deps.isSpeaking()));
  }

  /**
   * In short frames: when somebody takes over, the frame that is being handed over is the last one, and the framework
   * waits for its end before it drops what is queued.
   */
  override async ttsNode(
    text: ReadableStream<string>,
    modelSettings: voice.ModelSettings,
  ): Promise<ReadableStream<AudioFrame> | null> {
    const frames = await voice.Agent.default.ttsNode(this, text, modelSettings);
    return frames?.pipeThrough(shortFrames()) ?? null;
  }

  /** What is on its way to the customer, in the pace of the model; a call's voice is some words behind. */
  override async transcriptionNode(
    text: ReadableStream<string | voice.TimedString>,
    _modelSettings: voice.ModelSettings,
  ): Promise<ReadableStream<string | voice.TimedString> | null> {
    return ReadableStream.from(overhear(text, this.#deps.onUtterance()));
  }

  async *#reply(
    speculative: llm.ChatMessage | undefined,
    guess: Guess | undefined,
  ): AsyncGenerator<llm.ChatChunk | string> {
    const climb = this.#deps.models.begin();
    let step: LadderStep | undefined = climb.first();
    for (let attempt = 1; step !== undefined; attempt += 1) {
      const { model, pauseMs } = step;
      if (pauseMs > 0) await delay(this.#deps.clock, pauseMs);
      const progress = { began: false, text: '' };
      try {
        for await (const chunk of this.#ask(model, speculative, guess)) {
          // Usage alone is no answer.
          if (typeof chunk === 'string' || chunk.delta) progress.began = true;
          progress.text += typeof chunk === 'string' ? chunk : (chunk.delta?.content ?? '');
          yield chunk;
          if (progress.text.length > LONGEST_REPLY) {
            if (guess) guess.whenUsed(() => this.#deps.onEndlessReply());
            else this.#deps.onEndlessReply();
            break;
          }
        }
        if (!progress.began) throw new Error('The model answered with neither words nor a tool call.');
        const complete = async (): Promise<void> => {
          climb.answered();
          this.#deps.onAnswered();
          if (progress.text !== '') await this.#deps.onReplyComplete(progress.text);
        };
        // Until the turn is over this answers nothing; its end must not wait for that, or its voice would.
        if (guess) guess.whenUsed(() => void complete());
        else await complete();
        return;
      } catch (error) {
        // What went wrong matters if this is to be the answer; it is seen to then.
        if (guess && !(await guess.settled())) return;
        // What was said can't be taken back: a reply that broke off in the middle is not asked for again.
        step = progress.began ? undefined : climb.after(error);
        const final = step === undefined;
        this.#deps.onModelFailure({ attempt, model: model.model, error, final });
        if (final && !progress.began) yield await this.#deps.apology();
      }
    }
  }

  async *#ask(
    model: llm.LLM,
    speculative: llm.ChatMessage | undefined,
    guess: Guess | undefined,
  ): AsyncGenerator<llm.ChatChunk | string> {
    const request = await this.#deps.buildRequest(speculative, guess);
    if (guess?.isVoid) return;
    const offered = new llm.ToolContext(request.tools.map(describe));
    const stream = model.chat({
      chatCtx: request.chatCtx,
      ...(request.tools.length > 0 ? { toolCtx: offered, toolChoice: request.toolChoice } : {}),
      connOptions: this.session.connOptions.llmConnOptions,
    });
    // A model that hangs would leave the customer in silence for as long as the provider keeps the line open.
    let hung = false;
    let stopWaiting = (): void => {};
    guess?.whenVoid(() => stream.close());
    const waitForMore = (): void => {
      stopWaiting();
      stopWaiting = this.#deps.clock.after(this.#deps.tokenTimeoutMs, () => {
        hung = true;
        stream.close();
      });
    };
    waitForMore();
    try {
      for await (const chunk of stream) {
        const kept = this.#redirectCalls(chunk, request.toolChoice === 'none', guess);
        if (!kept) continue;
        waitForMore();
        yield kept;
      }
      if (hung) throw new ModelHangs();
    } finally {
      stopWaiting();
      stream.close();
    }
  }

  /**
   * Gives each call an id of ours (providers repeat theirs or leave them empty) and the name of the one tool
   * that the framework knows.
   */
  #redirectCalls(chunk: llm.ChatChunk, refuse: boolean, guess: Guess | undefined): llm.ChatChunk | undefined {
    const calls = chunk.delta?.toolCalls;
    if (!chunk.delta || !calls?.length) return chunk.delta?.content || chunk.usage ? chunk : undefined;
    if (refuse) {
      this.#deps.log.warn(
        { tools: calls.map((call) => call.name) },
        'model called a tool although it may not',
      );
      const { toolCalls: _refused, ...delta } = chunk.delta;
      return delta.content ? { ...chunk, delta } : undefined;
    }
    const toolCalls = calls.map((call) => {
      const callId = `call_${randomUUID().replaceAll('-', '')}`;
      this.#requested.set(callId, { toolName: call.name, rawArguments: call.args });
      guess?.whenVoid(() => this.#requested.delete(callId));
      return llm.FunctionCall.create({ callId, name: CALL_TOOL, args: '{}' });
    });
    return { ...chunk, delta: { ...chunk.delta, toolCalls } };
  }
}

function describe(tool: OfferedTool): llm.FunctionTool {
  return llm.tool({
    name: tool.name,
    description: tool.description,
    parameters: tool.inputSchema,
    execute: async () => undefined,
  });
}

async function* overhear<Part extends string | voice.TimedString>(
  parts: AsyncIterable<Part>,
  hear: (part: string) => void,
): AsyncGenerator<Part> {
  for await (const part of parts) {
    hear(typeof part === 'string' ? part : part.text);
    yield part;
  }
}

const FRAME_MS = 20;

function shortFrames(): TransformStream<AudioFrame, AudioFrame> {
  return new TransformStream({
    transform(frame, controller) {
      const { data, sampleRate, channels, samplesPerChannel, userdata } = frame;
      const most = Math.round((sampleRate * FRAME_MS) / 1_000);
      for (let from = 0; from < samplesPerChannel; from += most) {
        const count = Math.min(most, samplesPerChannel - from);
        // A copy: a frame is handed to the native side by the whole of its buffer.
        const part = data.slice(from * channels, (from + count) * channels);
        controller.enqueue(new AudioFrame(part, sampleRate, channels, count, from === 0 ? userdata : {}));
      }
    },
  });
}

async function* maskEvents(
  events: AsyncIterable<stt.SpeechEvent | string>,
  isSpeaking: () => boolean,
): AsyncGenerator<stt.SpeechEvent | string> {
  for await (const event of events) {
    // Without words the framework takes the sound for none, and lets the agent go on where it paused for it.
    if (isSpeaking() && isBackchannel(textOf(event))) continue;
    if (typeof event !== 'string' && event.alternatives) {
      for (const alternative of event.alternatives) alternative.text = maskCardNumbers(alternative.text);
    }
    yield event;
  }
}

function textOf(event: stt.SpeechEvent | string): string {
  return typeof event === 'string' ? event : (event.alternatives?.[0]?.text ?? '');
}
