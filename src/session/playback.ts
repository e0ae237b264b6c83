import { voice } from '@livekit/agents';

/**
 * How much of an utterance was heard. The framework cuts a reply of the model where it was interrupted, and keeps words
 * that it was given to say (`say`) as a whole, heard or not; of those its sound output alone knows.
 */
export class Playback {
  #heard: string | undefined;

  listen(output: voice.AudioOutput | null): void {
    output?.on(voice.AudioOutput.EVENT_PLAYBACK_STARTED, () => {
      this.#heard = undefined;
    });
    output?.on(
      voice.AudioOutput.EVENT_PLAYBACK_FINISHED,
      ({ synchronizedTranscript }: voice.PlaybackFinishedEvent) => {
        this.#heard = synchronizedTranscript;
      },
    );
  }

  /** The part of these words that was heard, as far as that is known; asked for when they are over. */
  heardOf(words: string): string {
    const heard = this.#heard?.trim();
    return heard !== undefined && plain(words).startsWith(plain(heard)) ? heard : words;
  }
}

/** Captions come word by word, whatever the lines of a text are. */
function plain(text: string): string {
  return text.trim().replace(/\s+/g, ' ');
}
