import { voice } from '@livekit/agents';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import { type FeedState, readFeed } from '../scoring/feed.ts';
import type { Claim } from './claim.ts';
import type { Conversation } from './conversation.ts';
import { MetricsTicker } from './metrics-ticker.ts';
import type { Replies } from './replies.ts';
import type { SessionServices } from './services.ts';
import type { SessionTools } from './session-tools.ts';
import { Silence } from './silence.ts';

export interface WatchDeps {
  readonly claim: Claim;
  readonly services: SessionServices;
  readonly prompts: PromptBook;
  readonly conversation: Conversation;
  readonly replies: Replies;
  readonly tools: SessionTools;
  readonly session: voice.AgentSession;
  /** The customer is in the room: nobody else can be silent. */
  present(): boolean;
  onSilentCustomer(): void;
  readonly log: Log;
}

/** Of one turn; what somebody feels is not told by a file that they paste, and to read that holds the others up. */
const SCORED_CHARACTERS = 4_000;

/** Keeps an eye on the conversation: the five-second row, and on a call the customer's silence. */
export class Watch {
  readonly #deps: WatchDeps;
  readonly #ticker: MetricsTicker;
  readonly #silence: Silence | undefined;
  #heardAt: number;

  constructor(deps: WatchDeps) {
    this.#deps = deps;
    const { claim, services, prompts, conversation, replies } = deps;
    const { clock, config, outbox, deviceScorer, modelScorer } = services;
    this.#heardAt = clock.now();
    this.#ticker = new MetricsTicker({
      ticks: services.ticks,
      everyMs: config.figures.metricsMs,
      device: deviceScorer,
      refining: modelScorer,
      turns: () => conversation.turns(SCORED_CHARACTERS),
      state: () => this.#state(),
      readFeed,
      onRow: (row) => void outbox.metric(claim, row),
      clock,
      log: deps.log,
    });
    if (claim.channel === 'voice') {
      this.#silence = new Silence({
        replies,
        prompts,
        firstMs: config.figures.silenceFirstMs,
        secondMs: config.figures.silenceSecondMs,
        endMs: config.figures.silenceEndMs,
        isCustomersTurn: () => this.#isCustomersTurn(),
        onEnd: deps.onSilentCustomer,
        clock,
      });
    }
  }

  start(): void {
    this.#ticker.start();
    if (!this.#silence) return;
    this.#silence.start();
    const { session } = this.#deps;
    session.on(voice.AgentSessionEventTypes.UserStateChanged, ({ newState }) => {
      if (newState === 'speaking') this.customerHeard();
    });
    session.on(voice.AgentSessionEventTypes.AgentStateChanged, ({ newState }) => {
      if (newState === 'listening') this.#silence?.turnPassed();
    });
  }

  customerHeard(): void {
    this.#heardAt = this.#deps.services.clock.now();
    this.#silence?.customerHeard();
    this.#deps.tools.touched();
  }

  agentSpoke(): void {
    this.#silence?.turnPassed();
    this.#deps.tools.touched();
  }

  /** Control has come back: the time that a person had it is not the customer's silence. */
  resumed(): void {
    this.#silence?.customerHeard();
    this.#deps.tools.touched();
  }

  close(): void {
    this.#ticker.stop();
    this.#silence?.close();
  }

  #isCustomersTurn(): boolean {
    const { replies, session, conversation, present } = this.#deps;
    return (
      present() &&
      !replies.held &&
      !replies.speaking &&
      session.userState !== 'speaking' &&
      conversation.openCalls().length === 0
    );
  }

  #state(): FeedState {
    const { replies, tools, session, services } = this.#deps;
    const waiting = tools.pending[0];
    const running = tools.runningTool;
    return {
      control: replies.held ? 'supervisor' : 'agent',
      customerSilentMs: services.clock.now() - this.#heardAt,
      agentSpeaking: session.agentState === 'speaking',
      customerSpeaking: session.userState === 'speaking',
      supervisorRequested: tools.supervisorRequested,
      ...(waiting ? { waitingPermission: { toolName: waiting.toolName, arguments: waiting.arguments } } : {}),
      ...(running ? { runningTool: running } : {}),
      ...(tools.runningPercent === undefined ? {} : { toolPercent: tools.runningPercent }),
    };
  }
}
