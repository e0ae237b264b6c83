import { defineAgent, voice } from '@livekit/agents';
import { z } from 'zod';
import { processEnvironment } from '../../src/config.ts';

const env = z
  .object({
    OPENAI_BASE_URL: z.string(),
    BARE_TUNED: z.string().optional(),
    BARE_SPEECH: z.string().optional(),
    BARE_RECOGNITION: z.string().optional(),
  })
  .parse(processEnvironment());

const { OPENAI_BASE_URL, BARE_TUNED, BARE_SPEECH, BARE_RECOGNITION } = env;

/** Recognition and voice as the framework's examples set them up; a chat loads neither. */
async function speech() {
  if (BARE_SPEECH === undefined || BARE_RECOGNITION === undefined) return undefined;
  const [openai, deepgram] = await Promise.all([
    import('@livekit/agents-plugin-openai'),
    import('@livekit/agents-plugin-deepgram'),
  ]);
  return {
    stt: new deepgram.STT({ apiKey: 'none', baseUrl: BARE_RECOGNITION.replace(/^http/, 'ws') }),
    tts: new openai.TTS({ apiKey: 'none', baseURL: BARE_SPEECH }),
  };
}

/** An agent as the framework's own examples write it, or with what its options allow to leave out. */
export default defineAgent({
  entry: async (ctx) => {
    await ctx.connect();
    const openai = await import('@livekit/agents-plugin-openai');
    const llm = new openai.LLM({ model: 'bare', apiKey: 'none', baseURL: OPENAI_BASE_URL });
    const spoken = await speech();
    const tuned = BARE_TUNED === '1';
    const session = new voice.AgentSession({
      llm,
      ...spoken,
      ...(tuned ? { vad: null, turnHandling: { turnDetection: null } } : {}),
    });
    const agent = new voice.Agent({ instructions: 'You help customers of a shop.' });
    await session.start({
      agent,
      room: ctx.room,
      // Without a voice there is nothing to hear; text that waits for sound would never come.
      ...(spoken ? {} : { outputOptions: { audioEnabled: false } }),
      ...(tuned ? { record: false, inputOptions: { audioEnabled: false } } : {}),
    });
    // What is said to an empty room is lost.
    await ctx.waitForParticipant();
    session.generateReply({ instructions: 'Greet the customer.' });
  },
});
