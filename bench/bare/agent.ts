import { defineAgent, voice } from '@livekit/agents';
import * as openai from '@livekit/agents-plugin-openai';
import { z } from 'zod';
import { processEnvironment } from '../../src/config.ts';

const { OPENAI_BASE_URL, BARE_TUNED } = z
  .object({ OPENAI_BASE_URL: z.string(), BARE_TUNED: z.string().optional() })
  .parse(processEnvironment());

/** A chat agent as the framework's own examples write it, or with what its options allow to leave out. */
export default defineAgent({
  entry: async (ctx) => {
    await ctx.connect();
    const llm = new openai.LLM({ model: 'bare', apiKey: 'none', baseURL: OPENAI_BASE_URL });
    const tuned = BARE_TUNED === '1';
    const session = new voice.AgentSession(
      tuned ? { llm, vad: null, turnHandling: { turnDetection: null } } : { llm },
    );
    const agent = new voice.Agent({ instructions: 'You help customers of a shop.' });
    await session.start({
      agent,
      room: ctx.room,
      // Without a voice there is nothing to hear; text that waits for sound would never come.
      outputOptions: { audioEnabled: false },
      ...(tuned ? { record: false, inputOptions: { audioEnabled: false } } : {}),
    });
    // What is said to an empty room is lost.
    await ctx.waitForParticipant();
    session.generateReply({ instructions: 'Greet the customer.' });
  },
});
