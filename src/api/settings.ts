import type { Config } from '../config.ts';

/**
 * What the API needs of the configuration. `publicUrl`s are optional: the address of the API as browsers see it
 * (its own pages are an allowed origin), and the address of LiveKit as customers reach it, where that differs
 * from the one this process uses.
 */
export interface ApiSettings {
  readonly api: Config['api'] & { readonly publicUrl?: string | undefined };
  readonly livekit: Config['livekit'] & { readonly publicUrl?: string | undefined };
  readonly supabase: Config['supabase'];
  readonly figures: Pick<Config['figures'], 'joinTimeoutMs' | 'rejoinVoiceMs' | 'rejoinChatMs'>;
}
