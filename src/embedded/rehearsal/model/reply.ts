import { argumentsFor } from './arguments.ts';
import { type Conversation, type PastCall, readConversation } from './conversation.ts';
import { answerInJson } from './json-answer.ts';
import { hasNothingLeft, type OrderFacts, ordersIn } from './order-facts.ts';
import { type ChatRequest, type ModelReply, type ModelToolCall, offeredTool } from './request.ts';
import { outcomeOf, reportOf } from './results.ts';
import { MATTER_TOOLS, type Matter, matterOf, orderNumberIn, phoneNumberIn, says } from './understanding.ts';

/** Said before the first words in every conversation: nobody shall take the script for a real model. */
export const LABEL = '(Rehearsal model, a script)';
const ANYTHING_ELSE = 'Is there anything else I can do for you?';
const CONFIRM = { refund: 'Shall I request the refund', cancel: 'Shall I cancel the order' } as const;
const ASK_PHONE = 'May I have your phone number, with the country code?';
const ASK_ORDER = 'What is your order number?';

/**
 * The scripted support agent: what it says follows from the request alone, so that the same conversation
 * always goes the same way.
 */
export function replyTo(request: ChatRequest): ModelReply {
  const json = answerInJson(request);
  if (json !== undefined) return { text: JSON.stringify(json) };
  const conversation = readConversation(request);
  const reply = new Script(request, conversation).reply();
  const labelled = conversation.said.some(
    ({ role, text }) => role === 'agent' && text.includes('Rehearsal model'),
  );
  if (labelled || reply.text === undefined) return reply;
  return { ...reply, text: `${LABEL} ${reply.text}` };
}

class Script {
  readonly #request: ChatRequest;
  readonly #talk: Conversation;

  constructor(request: ChatRequest, talk: Conversation) {
    this.#request = request;
    this.#talk = talk;
  }

  reply(): ModelReply {
    const reports = this.#unreported().map((call) => reportOf(call));
    const text = this.#talk.unanswered;
    if (text !== '') {
      const answer = this.#answer(text);
      return { ...answer, ...joined([...reports, answer.text]) };
    }
    if (reports.length > 0) return this.#goOn(reports);
    return { text: this.#talk.said.length === 0 ? this.#hello() : 'I am here. What can I do for you?' };
  }

  /** Results that no later words of the agent tell the customer about. */
  #unreported(): PastCall[] {
    return this.#talk.calls.filter((call) => {
      if (call.output === undefined) return false;
      const opening = reportOf(call).slice(0, 24);
      const reported = this.#talk.said.some(
        ({ role, text, at }) =>
          role === 'agent' && at > call.at && (text.includes(opening) || opening.includes(text)),
      );
      if (reported) return false;
      // A result that was followed by the next step of the same matter needs no words of its own.
      return !this.#talk.calls.some((later) => later.at > call.at && this.#follows(call, later));
    });
  }

  #follows(call: PastCall, later: PastCall): boolean {
    if (call.name === 'record_phone_number') return true;
    return call.name === later.name && outcomeOf(call.output ?? '') !== 'succeeded';
  }

  /** After results and nothing new from the customer: report, and take the next step of an open matter. */
  #goOn(reports: string[]): ModelReply {
    const matter = this.#openMatter();
    const number = this.#orderNumber();
    const last = this.#talk.calls.at(-1);
    const worked = last !== undefined && outcomeOf(last.output ?? '') === 'succeeded';
    if (matter === undefined || !worked) return joined(reports);
    if (last.name === 'record_phone_number') {
      if (number === undefined) return joined([...reports, ASK_ORDER]);
      const step = this.#step(matter, number, false);
      return { ...step, ...joined([...reports, step.text]) };
    }
    if (last.name !== 'find_order') return joined(reports);
    if (number !== undefined && (matter === 'refund' || matter === 'cancel')) {
      return joined([...reports, this.#confirm(matter, number)]);
    }
    return joined([...reports, ANYTHING_ELSE]);
  }

  #answer(text: string): ModelReply {
    const waiting = this.#talk.calls.filter((call) => call.output === undefined);
    if (waiting.length > 0) return this.#whileWaiting(text, waiting);
    const phone = phoneNumberIn(text);
    if (phone !== undefined && this.#has('record_phone_number')) {
      if (!phone.startsWith('+'))
        return { text: 'Could you give me that number with the country code, please?' };
      const known = this.#talk.calls.some(
        (call) => call.name === 'record_phone_number' && call.args.phone_number === phone,
      );
      if (!known) return { toolCalls: [this.#call('record_phone_number', text, { phone_number: phone })] };
    }
    if (says('identity', text)) {
      return {
        text: 'You are talking to the rehearsal model: a script that stands in for the AI, and no person. A colleague can join us if you like.',
      };
    }
    if (says('human', text) && this.#has('request_supervisor')) {
      return {
        toolCalls: [this.#call('request_supervisor', text, { reason: 'The customer asks for a person.' })],
      };
    }
    return this.#confirmation(text) ?? this.#matter(text) ?? this.#smallTalk(text);
  }

  #whileWaiting(text: string, waiting: readonly PastCall[]): ModelReply {
    if (says('withdraw', text) && this.#has('withdraw_request')) {
      const reason = 'The customer changed their mind.';
      return { toolCalls: [this.#call('withdraw_request', text, { reason })] };
    }
    const what = waiting.map((call) => call.name.replaceAll('_', ' ')).join(' and ');
    return {
      text: `I have noted that. I am still waiting for a decision on: ${what}. I will tell you as soon as I know.`,
    };
  }

  /** The customer answers "Shall I …?", or leaves when asked whether there is anything else. */
  #confirmation(text: string): ModelReply | undefined {
    const question = this.#talk.said.findLast(({ role }) => role === 'agent')?.text ?? '';
    const asked = (['refund', 'cancel'] as const).find((matter) => question.includes(CONFIRM[matter]));
    const number = this.#orderNumber();
    if (asked !== undefined) {
      if (says('no', text) || says('withdraw', text)) {
        return { text: `All right, then I leave everything as it is. ${ANYTHING_ELSE}` };
      }
      const agrees = says('yes', text) || matterOf(text) === asked;
      if (agrees && number !== undefined) return this.#step(asked, number, true);
    }
    const done =
      /anything else|something else/i.test(question) && says('no', text) && matterOf(text) === undefined;
    if (!says('bye', text) && !done) return undefined;
    const farewell = 'Thank you for contacting us. Goodbye!';
    if (!this.#has('end_interaction')) return { text: farewell };
    const reason = 'The customer has nothing else.';
    return { text: farewell, toolCalls: [this.#call('end_interaction', text, { reason })] };
  }

  #matter(text: string): ModelReply | undefined {
    const mentioned = orderNumberIn(text);
    const matter =
      matterOf(text) ?? (mentioned === undefined ? undefined : (this.#openMatter() ?? 'look up'));
    if (matter === undefined) return undefined;
    const number = mentioned ?? this.#orderNumber();
    if (number !== undefined && this.#knowsPhone()) return this.#step(matter, number, false);
    const sorry = says('upset', text) ? 'I am sorry for the trouble. ' : '';
    return joined([
      `${sorry}I can help with that.`,
      number === undefined ? ASK_ORDER : undefined,
      this.#knowsPhone() ? undefined : ASK_PHONE,
    ]);
  }

  /** The next step of a matter: look the order up, ask for a clear yes, act. */
  #step(matter: Matter, number: string, confirmed: boolean): ModelReply {
    const changes = matter === 'refund' || matter === 'cancel';
    if (changes && !confirmed && this.#found(number)) return { text: this.#confirm(matter, number) };
    const name = changes && !confirmed && this.#has('find_order') ? 'find_order' : MATTER_TOOLS[matter];
    if (!this.#has(name))
      return { text: `I'm sorry, I can't do that here. I can ask a colleague to join us.` };
    return { toolCalls: [this.#call(name, this.#talk.unanswered, {}, number)] };
  }

  /** Says what is about to be done and asks for a clear yes, or why it can't be done. */
  #confirm(matter: 'refund' | 'cancel', number: string): string {
    const order = this.#order(number);
    if (order !== undefined && hasNothingLeft(order))
      return `It has been paid back already. ${ANYTHING_ELSE}`;
    const amount = order?.refundable ? ` of ${order.refundable}` : '';
    const refund = `${CONFIRM.refund}${amount} for order ${number}?`;
    if (matter === 'refund') return refund;
    const isSent = order?.status === 'shipped' || order?.status === 'delivered';
    if (!isSent) return `${CONFIRM.cancel} ${number}?`;
    return `It is ${order?.status} already and can't be cancelled any more. ${refund}`;
  }

  #smallTalk(text: string): ModelReply {
    if (says('upset', text)) {
      return {
        text: 'I am sorry for the trouble. Tell me your order number and I will look into it, or I can ask a colleague to join us.',
      };
    }
    if (says('thanks', text)) return { text: `You're welcome. ${ANYTHING_ELSE}` };
    if (says('greeting', text)) return { text: this.#hello() };
    if (says('yes', text)) return { text: 'Good. What can I do for you?' };
    if (says('no', text) || says('withdraw', text)) return { text: `All right. ${ANYTHING_ELSE}` };
    return {
      text: 'I can look up an order, track its shipping, refund or cancel it, or ask a colleague to join us. What would you like?',
    };
  }

  #hello(): string {
    return 'Hello! Tell me your order number, and whether you want to track, refund or cancel it.';
  }

  /** The last thing asked for that no tool call has settled since. */
  #openMatter(): Matter | undefined {
    for (const { role, text, at } of this.#talk.said.toReversed()) {
      const matter = role === 'customer' ? matterOf(text) : undefined;
      if (matter === undefined) continue;
      const settled = this.#talk.calls.some(
        (call) =>
          call.at > at &&
          call.name === MATTER_TOOLS[matter] &&
          matter !== 'look up' &&
          outcomeOf(call.output ?? '') !== 'phone needed',
      );
      return settled ? undefined : matter;
    }
    return undefined;
  }

  #orderNumber(): string | undefined {
    for (const { role, text } of this.#talk.said.toReversed()) {
      const number = role === 'customer' ? orderNumberIn(text) : undefined;
      if (number !== undefined) return number;
    }
    return undefined;
  }

  #found(number: string): boolean {
    return this.#talk.calls.some(
      (call) =>
        call.name === 'find_order' &&
        call.output !== undefined &&
        outcomeOf(call.output) === 'succeeded' &&
        Object.values(call.args).some((value) => String(value) === number),
    );
  }

  /** The order as it was last told. */
  #order(number: string): OrderFacts | undefined {
    const lookUps = this.#talk.calls.filter((call) => call.name === 'find_order');
    return lookUps
      .flatMap((call) => ordersIn(call.output ?? ''))
      .findLast((order) => order.order_number === number);
  }

  /** Where the prompt says that the number is not known, the tools can't find an order without it. */
  #knowsPhone(): boolean {
    const isUnknown =
      /phone number is not known/i.test(this.#talk.system) && this.#has('record_phone_number');
    return !isUnknown || this.#talk.calls.some((call) => call.name === 'record_phone_number');
  }

  #has(name: string): boolean {
    return offeredTool(this.#request, name) !== undefined;
  }

  #call(name: string, text: string, fixed: Record<string, unknown>, orderNumber?: string): ModelToolCall {
    const parameters = offeredTool(this.#request, name)?.parameters;
    const args = argumentsFor(parameters, { fixed, text, orderNumber, said: this.#talk.said });
    return { name, arguments: JSON.stringify(args) };
  }
}

function joined(parts: readonly (string | undefined)[]): { text?: string } {
  const text = parts.filter((part) => part !== undefined && part !== '').join(' ');
  return text === '' ? {} : { text };
}
