import { initializeLogger, type VADEvent, VADEventType } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, onTestFinished, test } from 'vitest';
import { createFlite } from '../../src/embedded/rehearsal/speech/flite.ts';
import { BARGE_IN_MS } from '../../src/session/media.ts';
import { loadVad } from '../../src/session/models.ts';

initializeLogger({ pretty: false, level: 'silent' });

test('a voice counts as long enough to interrupt with the same window of sound that it began in', async () => {
  const flite = createFlite();
  onTestFinished(() => flite.close());
  const { samples, sampleRate } = await flite.speak('Stop, that is enough.', 'slt', 1);
  const stream = (await loadVad()).stream();
  onTestFinished(() => stream.close());
  const size = sampleRate / 50;
  for (let from = 0; from + size <= samples.length; from += size)
    stream.pushFrame(new AudioFrame(samples.slice(from, from + size), sampleRate, 1, size));

  const events: VADEvent[] = [];
  const isLongEnough = ({ type, speechDuration }: VADEvent): boolean =>
    type === VADEventType.INFERENCE_DONE && speechDuration >= BARGE_IN_MS;
  while (!events.some(isLongEnough)) events.push((await stream.next()).value as VADEvent);
  const begun = events.findIndex(({ type }) => type === VADEventType.START_OF_SPEECH);
  expect(begun).toBeGreaterThan(0);
  const longEnough = events.findIndex(isLongEnough);
  expect(longEnough).toBe(begun + 1);
  expect(events[longEnough]?.samplesIndex).toBe(events[begun]?.samplesIndex);
});
