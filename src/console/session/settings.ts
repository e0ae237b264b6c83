import * as z from 'zod/mini';

const settingsSchema = z.object({
  supabase_url: z.url(),
  publishable_key: z.string().check(z.minLength(1)),
  livekit_url: z.string(),
  rehearsal: z.boolean(),
});
export type Settings = z.output<typeof settingsSchema>;

/** Where this installation's parts are; the same for everybody, so it needs no sign-in. */
export async function loadSettings(): Promise<Settings> {
  const response = await fetch('/console/config.json', { headers: { accept: 'application/json' } });
  if (!response.ok) throw new Error(`The server answered with ${response.status}.`);
  return settingsSchema.parse(await response.json());
}
