import { type VAD, type VADEvent, VADEventType, type VADStream } from '@livekit/agents';

/**
 * A caller who begins to talk is noticed a window of sound (32 ms) earlier.
 *
 * The framework asks whether somebody talks into its speech with each window, and with the one in which a voice has
 * begun it asks just before it is told so. Told the same once more, it does not wait for the next one.
 */
export function withPromptOnset(vad: VAD): VAD {
  const original = vad.stream.bind(vad);
  vad.stream = () => repeatOnset(original());
  return vad;
}

function repeatOnset(stream: VADStream): VADStream {
  const original = stream.next.bind(stream);
  let again: VADEvent | undefined;
  stream.next = async () => {
    if (again) {
      const value = again;
      again = undefined;
      return { done: false, value };
    }
    const next = await original();
    if (!next.done && next.value.type === VADEventType.START_OF_SPEECH)
      again = { ...next.value, type: VADEventType.INFERENCE_DONE };
    return next;
  };
  return stream;
}
