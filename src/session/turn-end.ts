import { inference } from '@livekit/agents';
import { type Clock, delay } from './clock.ts';
import { Patience } from './patience.ts';

/**
 * Of 8 English sentences by 6 synthetic voices, each at several speeds, the framework's model rated the ends 0.08 to 0.64
 * where its threshold is 0.36, and the halves of such sentences 0.06 to 0.29; of 13 recordings of people the ends 0.16 to
 * 0.50, and breaks inside of them 0.07 to 0.70. By itself it tells them apart badly. Below this part of its threshold were
 * most of the breaks and few of the ends.
 */
const DENIED_BELOW = 0.55;
/** Where the words go on, the sound has to be so much surer of the end. */
const SURER = 1.5;
/**
 * How long a caller has been silent at least when their words are complete and the sound is sure of it, doubts it or
 * denies it. Nobody writes a question mark by mistake: there is no denying it.
 */
const SURE_MS = 300;
const DOUBTED_MS = 350;
const DENIED_MS = 800;
/** The framework asks its model with the first 32 ms of sound that make 200 ms of silence complete. */
const ASKED_AFTER_MS = 224;

/** More than any probability. */
const NEVER = 2;

/** What the words say about whether more is to come. */
export type Words = 'complete' | 'open' | 'leading on';

/** No sentence ends with these, whatever a recogniser writes after them when somebody stops to think. */
const LEADING_ON: Readonly<Record<string, RegExp>> = {
  en: /(?:^|\s)(?:a|an|the|my|your|our|their|and|or|but|because|if|of|um+|uh+|er+m*|(?:number|name|address|code|date|problem|question|mail) is)[\s,.…]*$/iu,
};
/** Three dots are a sentence that somebody left open. */
const SENTENCE_END = /(?<!\.\.)[.!?。！？]["'”’)\]]*$/u;
/** Numbers are dictated in groups, and a recogniser puts a full stop after each. */
const NUMBER_AT_END =
  /(?:\d|\b(?:zero|oh|one|two|three|four|five|six|seven|eight|nine|ten|hundred|double))[.。]?$/iu;

/** @param language as the recogniser or the agent has it: `en`, `en-US`. */
export function judgeWords(text: string, language = 'en'): Words {
  const said = text.trim();
  if (LEADING_ON[language.slice(0, 2).toLowerCase()]?.test(said)) return 'leading on';
  return SENTENCE_END.test(said) && !NUMBER_AT_END.test(said) ? 'complete' : 'open';
}

function isQuestion(text: string): boolean {
  return /[?？]["'”’)\]]*$/u.test(text.trim());
}

/**
 * The framework's judge of whether a caller has finished hears only how they speak, and takes many voices for
 * unfinished that are not, and some breaks for ends. What they said counts here too: where the recogniser has put the
 * end of a sentence, less assurance of the sound is enough, and elsewhere more of it is needed. Some recognisers put the
 * end of a sentence wherever somebody pauses: a caller who goes on after one is given more time from then on.
 */
export class TurnEnd extends inference.TurnDetector {
  readonly #clock: Clock;
  readonly #longestMs: number;
  readonly #patience = new Patience();
  #heard = '';
  #language: string | undefined;

  /** @param longestMs how long a caller is waited for at most. */
  constructor(
    clock: Clock,
    longestMs: number,
    options: Pick<inference.TurnDetectorOptions, 'executor'> = {},
  ) {
    super({ version: 'v1-mini', ...options });
    this.#clock = clock;
    this.#longestMs = longestMs;
  }

  /** The caller speaks (again). */
  began(): void {
    this.#heard = '';
    this.#patience.began(this.#clock.now());
  }

  /** What the recogniser made of the last words. */
  heard(text: string, language?: string): void {
    this.#heard = text;
    this.#language = language ?? this.#language;
  }

  override stream(
    ...options: Parameters<inference.TurnDetector['stream']>
  ): ReturnType<inference.TurnDetector['stream']> {
    const stream = super.stream(...options);
    const clock = this.#clock;
    const predict = stream.predict.bind(stream);
    const threshold = stream.unlikelyThreshold.bind(stream);
    let sound = { silentSince: 0, endProbability: 0 };
    stream.predict = () => {
      const asked = { silentSince: clock.now() - ASKED_AFTER_MS, endProbability: 0 };
      sound = asked;
      const answer = predict();
      void answer.await.then(({ endOfTurnProbability }) => {
        asked.endProbability = endOfTurnProbability;
      });
      return answer;
    };
    // The framework asks for the threshold once it has the model's answer, and waits its longer delay below it.
    stream.unlikelyThreshold = async (language) => {
      const own = await threshold(language);
      if (own === undefined) return own;
      switch (judgeWords(this.#heard, language ?? this.#language)) {
        case 'leading on':
          return NEVER;
        case 'open':
          return own * SURER;
        case 'complete': {
          const { silentSince, endProbability } = sound;
          const denied = endProbability < own * DENIED_BELOW && !isQuestion(this.#heard);
          const usualMs = endProbability >= own ? SURE_MS : denied ? DENIED_MS : DOUBTED_MS;
          const silentMs = Math.min(usualMs * this.#patience.factor, this.#longestMs);
          await delay(clock, silentSince + silentMs - clock.now());
          this.#patience.ended(clock.now());
          return 0;
        }
      }
    };
    return stream;
  }
}
