import { llm } from '@livekit/agents';

export type Speaker = 'customer' | 'agent' | 'supervisor' | 'system';

export interface SaidItem {
  readonly kind: 'said';
  readonly id: string;
  readonly role: Speaker;
  text: string;
  interrupted: boolean;
  readonly at: number;
}

/** A tool call of the model. `output` is there once the ledger has settled it, and then never changes. */
export interface CallItem {
  readonly kind: 'call';
  readonly callId: string;
  readonly toolName: string;
  readonly rawArguments: string;
  /** Calls of one step of the model share it; the provider wants them in one message. */
  readonly stepId: string;
  at: number;
  output?: string;
  isError?: boolean;
}

/** Something the model must know and the customer must not see: a whisper, a remark of the runtime. */
export interface NoteItem {
  readonly kind: 'note';
  readonly id: string;
  readonly text: string;
  readonly at: number;
}

export type ConversationItem = SaidItem | CallItem | NoteItem;

/** What the model is told in place of an output that is not there yet. */
export type PendingText = (call: CallItem) => string;

/** Longest part of one message that the model is shown; the transcript keeps all of it. */
const MODEL_MESSAGE_LIMIT = 8_000;
/**
 * Newest items that are part of a request, and characters of all of them together (about 50,000 tokens, which
 * every current model takes); what is older is in the transcript only.
 */
const MODEL_ITEM_LIMIT = 200;
const MODEL_CHARACTER_LIMIT = 200_000;

const MOST_CHARACTERS = 4_000_000;
const MOST_ITEMS = 5_000;

/**
 * The conversation as this runtime knows it, and the only source of what a model is asked.
 *
 * The framework keeps a history of its own, which drops what is said while a tool waits; every request is
 * therefore built from here (see `toChatContext`).
 */
export class Conversation {
  readonly #items: ConversationItem[] = [];
  readonly #said = new Map<string, SaidItem>();
  readonly #calls = new Map<string, CallItem>();
  readonly #notes = new Set<string>();
  #characters = 0;

  /** Longer than any conversation between people; what is kept and gone through for each turn has to end somewhere. */
  get isTooLong(): boolean {
    return this.#characters > MOST_CHARACTERS || this.#items.length > MOST_ITEMS;
  }

  /** Of everything that is kept here: what was said, arguments, outputs and notes. */
  get characters(): number {
    return this.#characters;
  }

  get items(): readonly ConversationItem[] {
    return this.#items;
  }

  find(id: string): Readonly<SaidItem> | undefined {
    return this.#said.get(id);
  }

  /** Adds what somebody said; a second time with the same id replaces the text (a cut or a longer version). */
  say(item: Omit<SaidItem, 'kind' | 'interrupted'> & { interrupted?: boolean }): void {
    const known = this.#said.get(item.id);
    if (known) {
      this.#characters += item.text.length - known.text.length;
      known.text = item.text;
      known.interrupted = item.interrupted ?? known.interrupted;
      return;
    }
    const said: SaidItem = { kind: 'said', interrupted: false, ...item };
    this.#said.set(said.id, said);
    this.#characters += said.text.length;
    this.#insert(said);
  }

  /** The framework knows what was said under another id, and asks whether it is here already. */
  alsoKnownAs(id: string, otherId: string): void {
    const said = this.#said.get(id);
    if (said) this.#said.set(otherId, said);
  }

  call(item: Omit<CallItem, 'kind'>): void {
    if (this.#calls.has(item.callId)) return;
    const call: CallItem = { kind: 'call', ...item };
    this.#calls.set(call.callId, call);
    this.#characters += call.rawArguments.length + (call.output?.length ?? 0);
    this.#insert(call);
  }

  /**
   * Records the one output of a call. False when it had one already.
   *
   * The step then stands where its output came, not where it was asked for: after a long wait a model must
   * find the result at the end, or it takes the words of comfort in between for the newest and asks again.
   */
  settle(callId: string, output: string, isError: boolean, at: number): boolean {
    const call = this.#calls.get(callId);
    if (!call || call.output !== undefined) return false;
    call.output = output;
    this.#characters += output.length;
    call.isError = isError;
    const step = this.#items.filter((item) => item.kind === 'call' && item.stepId === call.stepId);
    for (const item of step) {
      if (item.kind !== 'call') continue;
      this.#items.splice(this.#items.indexOf(item), 1);
      item.at = at;
      this.#insert(item);
    }
    return true;
  }

  /** A call of an earlier generation that was settled then: it stands where it stood, and nothing follows from it. */
  recall(item: Omit<CallItem, 'kind' | 'output' | 'isError'> & { output: string; isError: boolean }): void {
    this.call(item);
  }

  /** A second time with the same id changes nothing. */
  note(id: string, text: string, at: number): void {
    if (this.#notes.has(id)) return;
    this.#notes.add(id);
    this.#characters += text.length;
    this.#insert({ kind: 'note', id, text, at });
  }

  openCalls(): CallItem[] {
    return [...this.#calls.values()].filter((call) => call.output === undefined);
  }

  /** True while calls of the same step as `callId` have no output yet. */
  stepIsOpen(callId: string): boolean {
    const stepId = this.#calls.get(callId)?.stepId;
    return this.openCalls().some((call) => call.stepId === stepId);
  }

  /** Steps of tool calls since the customer last said something; bounds a model that calls tools for ever. */
  toolStepsInTurn(): number {
    return new Set(this.#callsInTurn().map(({ stepId }) => stepId)).size;
  }

  /** All calls since then; bounds a model that calls everything at once. */
  toolCallsInTurn(): number {
    return this.#callsInTurn().length;
  }

  #callsInTurn(): CallItem[] {
    const last = this.#items.findLastIndex((item) => item.kind === 'said' && item.role === 'customer');
    return this.#items.slice(last + 1).filter((item) => item.kind === 'call');
  }

  /** What customer and agent (or supervisor) said to one another, each cut at `longest`; for scoring and the feed. */
  turns(longest?: number): { role: 'customer' | 'agent'; text: string }[] {
    return this.#items.flatMap((item) => {
      if (item.kind !== 'said' || item.role === 'system' || item.text === '') return [];
      return [
        {
          role: item.role === 'customer' ? ('customer' as const) : ('agent' as const),
          text: item.text.slice(0, longest),
        },
      ];
    });
  }

  lastSaid(role: Speaker): SaidItem | undefined {
    for (let index = this.#items.length - 1; index >= 0; index -= 1) {
      const item = this.#items[index];
      if (item?.kind === 'said' && item.role === role) return item;
    }
    return undefined;
  }

  /**
   * The request to the model: the system prompt, then the newest items in the order in which they happened.
   *
   * @param speculative a customer's turn that is not final yet (preemptive generation); left out when it is
   *   already part of the conversation.
   */
  toChatContext(systemPrompt: string, pending: PendingText, speculative?: llm.ChatMessage): llm.ChatContext {
    const items: llm.ChatItem[] = [llm.ChatMessage.create({ role: 'system', content: systemPrompt })];
    for (const item of resultsLast(this.#newest())) items.push(...toChatItems(item, pending));
    if (speculative && !this.#said.has(speculative.id)) items.push(speculative);
    return new llm.ChatContext(items);
  }

  #newest(): ConversationItem[] {
    const newest = this.#items.slice(-MODEL_ITEM_LIMIT);
    let left = MODEL_CHARACTER_LIMIT;
    const first = newest.findLastIndex((item) => {
      left -=
        item.kind === 'call' ? (item.output?.length ?? 0) : Math.min(item.text.length, MODEL_MESSAGE_LIMIT);
      return left < 0;
    });
    return newest.slice(first + 1);
  }

  /** Keeps the order of happening; what carries the same time stays in the order in which it arrived. */
  #insert(item: ConversationItem): void {
    let index = this.#items.length;
    while (index > 0 && (this.#items[index - 1]?.at ?? 0) > item.at) index -= 1;
    this.#items.splice(index, 0, item);
  }
}

/**
 * Notes that came after the newest tool results stand before them: a model that does not find a result at the end
 * takes the note for the newest and asks for the tool again.
 */
function resultsLast(items: readonly ConversationItem[]): ConversationItem[] {
  const last = items.findLastIndex((item) => item.kind !== 'note');
  let first = last;
  while (items[first]?.kind === 'call') first -= 1;
  return [...items.slice(0, first + 1), ...items.slice(last + 1), ...items.slice(first + 1, last + 1)];
}

function toChatItems(item: ConversationItem, pending: PendingText): llm.ChatItem[] {
  if (item.kind === 'note') {
    return [llm.ChatMessage.create({ id: item.id, role: 'system', content: item.text, createdAt: item.at })];
  }
  if (item.kind === 'call') {
    const output = item.output ?? pending(item);
    const { callId, toolName: name, stepId: groupId, at: createdAt } = item;
    return [
      llm.FunctionCall.create({ callId, name, args: item.rawArguments, groupId, createdAt }),
      llm.FunctionCallOutput.create({ callId, name, output, isError: item.isError ?? false, createdAt }),
    ];
  }
  if (item.text === '') return [];
  const role = item.role === 'customer' ? ('user' as const) : ('assistant' as const);
  return [llm.ChatMessage.create({ id: item.id, role, content: modelText(item), createdAt: item.at })];
}

function modelText(item: SaidItem): string {
  const text =
    item.text.length > MODEL_MESSAGE_LIMIT
      ? `${item.text.slice(0, MODEL_MESSAGE_LIMIT)}\n[The rest of this message, ${item.text.length - MODEL_MESSAGE_LIMIT} characters, was left out.]`
      : item.text;
  if (item.role === 'supervisor') return `[Said by a human colleague who had taken over] ${text}`;
  return text;
}
