import { voice } from '@livekit/agents';
import type { Guess } from './head-start.ts';
import { KEPT_SOUND } from './kept-speech.ts';
import type { Recorder } from './recorder.ts';

/**
 * Writes what models and speech services used to the trace: durations, tokens, characters, seconds of audio. A request
 * that was made before its turn was over says so, and whether it became the answer.
 */
export function traceUsage(
  session: voice.AgentSession,
  recorder: Recorder,
  guessOf: (speechId: string | undefined) => Guess | undefined,
): void {
  session.on(voice.AgentSessionEventTypes.MetricsCollected, ({ metrics }) => {
    switch (metrics.type) {
      case 'llm_metrics': {
        const trace = (more: { ahead_of_turn?: 'used' | 'void' }): void =>
          recorder.step('llm_call', {
            duration_ms: whole(metrics.durationMs),
            tokens_input: whole(metrics.promptTokens),
            tokens_output: whole(metrics.completionTokens),
            output: { time_to_first_token_ms: metrics.ttftMs, cancelled: metrics.cancelled, ...more },
            ...modelName(metrics.metadata),
          });
        const guess = guessOf(metrics.speechId);
        if (guess) guess.onSettled((used) => trace({ ahead_of_turn: used ? 'used' : 'void' }));
        else trace({});
        break;
      }
      case 'tts_metrics': {
        // Each sentence is told by itself; this is all of an utterance once more.
        if (metrics.streamed) break;
        const kept = metrics.requestId === KEPT_SOUND;
        recorder.step('speech', {
          duration_ms: whole(metrics.durationMs),
          // Of what the service is paid for.
          characters: kept ? 0 : whole(metrics.charactersCount),
          audio_seconds: kept ? 0 : metrics.audioDurationMs / 1000,
          output: {
            time_to_first_byte_ms: metrics.ttfbMs,
            cancelled: metrics.cancelled,
            ...(kept ? { kept: true } : {}),
          },
          ...modelName(metrics.metadata),
        });
        break;
      }
      case 'stt_metrics':
        recorder.step('transcription', {
          audio_seconds: metrics.audioDurationMs / 1000,
          ...modelName(metrics.metadata),
        });
        break;
      case 'eou_metrics':
        recorder.step('turn', {
          duration_ms: whole(metrics.endOfUtteranceDelayMs),
          output: { transcription_delay_ms: metrics.transcriptionDelayMs },
        });
        break;
      default:
        break;
    }
  });
}

function whole(value: number): number {
  return Math.max(0, Math.round(value));
}

function modelName(metadata: { modelName?: string } | undefined): { model?: string } {
  return metadata?.modelName ? { model: metadata.modelName } : {};
}
