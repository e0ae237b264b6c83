import type { Config } from '../config.ts';

/**
 * What the API needs of the configuration. `publicUrl`s are optional: the address of the API as browsers see it
 * (its own pages are an allowed origin), and those of LiveKit and Supabase as browsers reach them, where they
 * differ from the ones this process uses.
 */
export interface ApiSettings {
  readonly api: Config['api'] & { readonly publicUrl?: string | undefined };
  readonly livekit: Config['livekit'] & { readonly publicUrl?: string | undefined };
  readonly supabase: Config['supabase'];
  readonly rehearsal: boolean;
  /** Where the built pages are, if not where `npm run build:pages` puts them. */
  readonly pagesFolder?: string | undefined;
  readonly figures: Pick<
    Config['figures'],
    'joinTimeoutMs' | 'rejoinVoiceMs' | 'rejoinChatMs' | 'eventsPollMs' | 'searchPatienceMs'
  >;
}
