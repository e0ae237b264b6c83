import { describe, expect, it } from 'vitest';
import { type OpeningFacts, renderGreeting, renderSystemPrompt } from '../../src/definitions/opening.ts';
import { loadPrompts } from '../../src/definitions/prompts.ts';

const book = loadPrompts(new URL('../../prompts', import.meta.url).pathname, 'en');

function facts(changes: { [Key in keyof OpeningFacts]?: Partial<OpeningFacts[Key]> } = {}): OpeningFacts {
  const base: OpeningFacts = {
    agent: {
      name: 'Robin',
      systemPrompt: 'You help.',
      greeting: 'Hi, {{agent_name}} here. How can I help?',
      language: 'en',
    },
    business: { name: 'Paper & Pen', timeZone: 'Asia/Tokyo' },
    customer: { name: null, phoneNumber: null, phoneSource: null },
    channel: 'chat',
    now: new Date('2026-05-03T22:30:00Z'),
  };
  return {
    agent: { ...base.agent, ...changes.agent },
    business: { ...base.business, ...changes.business },
    customer: { ...base.customer, ...changes.customer },
    channel: (changes.channel as OpeningFacts['channel'] | undefined) ?? base.channel,
    now: base.now,
  };
}

describe('the greeting', () => {
  it('keeps its closing question last and puts the disclosure before it', () => {
    expect(renderGreeting(book, facts())).toEqual({
      text: "Hi, Robin here. You're chatting with an AI assistant. The team at Paper & Pen may follow this chat. How can I help?",
      problems: [],
    });
  });

  it('discloses also when the agent has no greeting of its own, and when it asks nothing', () => {
    for (const greeting of [null, '  ', 'Welcome']) {
      expect(renderGreeting(book, facts({ agent: { greeting } })).text).toMatch(
        /AI assistant.*may follow this chat\./s,
      );
    }
  });

  it('is spoken in words for voice', () => {
    expect(renderGreeting(book, { ...facts(), channel: 'voice' }).text).toMatch(
      /A\.I\. assistant.*listen in/s,
    );
  });

  it('still greets when the text in the database is broken, and says what is wrong', () => {
    const { text, problems } = renderGreeting(book, facts({ agent: { greeting: 'Hello {{nobody}}there.' } }));
    expect(text).toMatch(/^Hello there\. You're chatting/);
    expect(problems).toEqual(['there is no variable {{nobody}}']);
  });
});

describe('the system prompt', () => {
  it("has the agent's own prompt with its variables filled, in the business's time", () => {
    const systemPrompt = 'You work for {{business_name}} on {{local_date}} at {{local_time}} by {{channel}}.';
    const { text, problems } = renderSystemPrompt(book, facts({ agent: { systemPrompt } }));
    expect(text).toMatch(/^You work for Paper & Pen on Monday, May 4, 2026 at 7:30\sAM by chat\./);
    expect(text).toContain('Write short messages');
    expect(problems).toEqual([]);
  });

  it('says of a number that came with the call that it is verified, of one the customer typed that it is not', () => {
    const phoneNumber = '+351910000001';
    const sip = renderSystemPrompt(book, facts({ customer: { phoneNumber, phoneSource: 'sip' } })).text;
    const claimed = renderSystemPrompt(
      book,
      facts({ customer: { phoneNumber, phoneSource: 'claimed' } }),
    ).text;
    expect(sip).toMatch(/\+351910000001\. It is verified/);
    expect(claimed).toMatch(/gave \+351910000001 .* not verified/);
  });

  it('does not let a name carry a template into the prompt', () => {
    const { text } = renderSystemPrompt(book, facts({ customer: { name: '{{tool_rules}}' } }));
    expect(text).toContain("The customer's name is {{tool_rules}}.");
  });

  it('goes on in UTC with a time zone or language that does not exist, and says so', () => {
    const { text, problems } = renderSystemPrompt(
      book,
      facts({ business: { timeZone: 'Mars/Olympus' }, agent: { language: 'not a tag' } }),
    );
    expect(text).toContain('10:30');
    expect(problems).toHaveLength(2);
  });
});
