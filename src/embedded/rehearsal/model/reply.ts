import { argumentsFor } from './arguments.ts';
import { type Conversation, type PastCall, readConversation } from './conversation.ts';
import { answerInJson } from './json-answer.ts';
import { type ChatRequest, type ModelReply, type ModelToolCall, offeredTool } from './request.ts';
import { outcomeOf, reportOf } from './results.ts';
import { MATTER_TOOLS, type Matter, matterOf, orderNumberIn, phoneNumberIn, says } from './understanding.ts';

/** Said before the first words in every conversation: nobody shall take the script for a real model. */
export const LABEL = '(Rehearsal model, a script)';
const ANYTHING_ELSE = 'Is there anything else I can do for you?';
const CONFIRM: Record<'refund' | 'cancel', string> = {
  refund: 'Shall I request the refund for order',
  cancel: 'Shall I cancel order',
};

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
          role === 'agent' && at >= call.at && (text.includes(opening) || opening.includes(text)),
      );
      if (reported) return false;
      // A result that was followed by the next step of the same matter needs no words of its own.
      return !this.#talk.calls.some((later) => later.at > call.at && this.#follows(call, later));
    });
  }

  #follows(call: PastCall, later: PastCall): boolean {
    return (
      call.name === 'record_phone_number' ||
      (call.name === later.name && outcomeOf(call.output ?? '') === 'failed')
    );
  }

  /** After results and nothing new from the customer: report, and take the next step of an open matter. */
  #goOn(reports: string[]): ModelReply {
    const matter = this.#openMatter();
    const number = this.#orderNumber();
    if (matter !== undefined && number !== undefined) {
      const last = this.#talk.calls.at(-1);
      if (last?.name === 'record_phone_number' && outcomeOf(last.output ?? '') === 'succeeded') {
        const step = this.#step(matter, number, false);
        return { ...step, ...joined([...reports, step.text]) };
      }
      if (last?.name === 'find_order' && outcomeOf(last.output ?? '') === 'succeeded') {
        if (matter === 'refund' || matter === 'cancel') {
          return { text: `${reports.join(' ')} ${CONFIRM[matter]} ${number}?` };
        }
        if (matter === 'look up') return { text: `${reports.join(' ')} ${ANYTHING_ELSE}` };
      }
    }
    return { text: reports.join(' ') };
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
      return {
        toolCalls: [this.#call('withdraw_request', text, { reason: 'The customer changed their mind.' })],
      };
    }
    const what = waiting.map((call) => call.name.replaceAll('_', ' ')).join(' and ');
    return {
      text: `I have noted that. I am still waiting for a decision on: ${what}. I will tell you as soon as I know.`,
    };
  }

  /** The customer answers "Shall I …?", or leaves when asked whether there is anything else. */
  #confirmation(text: string): ModelReply | undefined {
    const question = this.#talk.said.findLast(({ role }) => role === 'agent')?.text ?? '';
    const asked = (Object.keys(CONFIRM) as ('refund' | 'cancel')[]).find((matter) =>
      question.includes(CONFIRM[matter]),
    );
    const leaves = says('no', text) || says('withdraw', text);
    if (asked !== undefined) {
      const number = this.#orderNumber();
      if (leaves) return { text: `All right, then I leave everything as it is. ${ANYTHING_ELSE}` };
      if (says('yes', text) && number !== undefined) return this.#step(asked, number, true);
    }
    const done =
      /anything else|something else/i.test(question) && says('no', text) && matterOf(text) === undefined;
    if (!says('bye', text) && !done) return undefined;
    const farewell = 'Thank you for contacting us. Goodbye!';
    if (!this.#has('end_interaction')) return { text: farewell };
    return {
      text: farewell,
      toolCalls: [this.#call('end_interaction', text, { reason: 'The customer has nothing else.' })],
    };
  }

  #matter(text: string): ModelReply | undefined {
    const number = orderNumberIn(text);
    const matter = matterOf(text) ?? (number === undefined ? undefined : (this.#openMatter() ?? 'look up'));
    if (matter === undefined) return undefined;
    const known = number ?? this.#orderNumber();
    if (known === undefined)
      return {
        text: `I can help with that. ${says('upset', text) ? 'I am sorry for the trouble. ' : ''}What is your order number?`,
      };
    return this.#step(matter, known, false);
  }

  /** The next step of a matter: look the order up, ask for a clear yes, act. */
  #step(matter: Matter, number: string, confirmed: boolean): ModelReply {
    const changes = matter === 'refund' || matter === 'cancel';
    const found = this.#found(number);
    if (changes && found && !confirmed) return { text: `${CONFIRM[matter]} ${number}?` };
    const name = changes && !confirmed && this.#has('find_order') ? 'find_order' : MATTER_TOOLS[matter];
    if (!this.#has(name))
      return { text: `I'm sorry, I can't do that here. I can ask a colleague to join us.` };
    return { toolCalls: [this.#call(name, this.#talk.unanswered, {}, number)] };
  }

  #smallTalk(text: string): ModelReply {
    if (says('upset', text))
      return {
        text: 'I am sorry for the trouble. Tell me your order number and I will look into it, or I can ask a colleague to join us.',
      };
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
      if (role !== 'customer') continue;
      const matter = matterOf(text);
      if (matter === undefined) continue;
      const settled = this.#talk.calls.some(
        (call) =>
          call.at > at &&
          call.name === MATTER_TOOLS[matter] &&
          outcomeOf(call.output ?? '') !== 'phone needed' &&
          matter !== 'look up',
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
        outcomeOf(call.output ?? 'Not done') === 'succeeded' &&
        Object.values(call.args).some((value) => String(value) === number),
    );
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
