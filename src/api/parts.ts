import type { SupabaseClient } from '@supabase/supabase-js';
import type { Log } from '../log.ts';
import type { Doorbell } from './doorbell.ts';
import type { EventHub } from './events/hub.ts';
import type { Health } from './health.ts';
import type { People } from './identity.ts';
import type { ApiMetrics } from './metrics.ts';
import type { Origins } from './origins.ts';
import type { Rooms } from './rooms.ts';
import type { ApiSettings } from './settings.ts';

/** What routes work with; made once by server.ts. */
export interface ApiParts {
  readonly settings: ApiSettings;
  readonly log: Log;
  readonly metrics: ApiMetrics;
  /** Acts with the secret key: only for customers' routes, who have no token of their own, and for health. */
  readonly serviceDb: SupabaseClient;
  readonly rooms: Rooms;
  readonly doorbell: Doorbell;
  readonly people: People;
  readonly origins: Origins;
  readonly health: Health;
  readonly events: EventHub;
}
