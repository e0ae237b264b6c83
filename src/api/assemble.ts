import { createServiceClient, createUserClient } from '../database/client.ts';
import type { Log } from '../log.ts';
import { Doorbell } from './doorbell.ts';
import { type Clock, systemClock } from './events/clock.ts';
import { EventHub } from './events/hub.ts';
import { EventMetrics } from './events/metrics.ts';
import { Health } from './health.ts';
import { People } from './identity.ts';
import { ApiMetrics } from './metrics.ts';
import { Origins } from './origins.ts';
import type { ApiParts } from './parts.ts';
import { Rooms } from './rooms.ts';
import type { ApiSettings } from './settings.ts';

/** What the routes of one API work with. Connects to nothing yet. */
export function assembleParts(settings: ApiSettings, log: Log, clock: Clock = systemClock): ApiParts {
  const serviceDb = createServiceClient(settings.supabase);
  const rooms = new Rooms(settings);
  const metrics = new ApiMetrics();
  return {
    settings,
    log,
    metrics,
    serviceDb,
    rooms,
    doorbell: new Doorbell(rooms, metrics),
    people: new People(serviceDb, (token) => createUserClient(settings.supabase, token)),
    origins: new Origins(serviceDb, settings.api.publicUrl),
    health: new Health(serviceDb, rooms, log),
    events: new EventHub({
      db: serviceDb,
      log,
      clock,
      metrics: new EventMetrics(metrics.registry),
      pollMs: settings.figures.eventsPollMs,
      streamsPerPerson: settings.api.limits.streamsPerPerson,
    }),
  };
}
