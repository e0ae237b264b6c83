import type { SupabaseClient } from '@supabase/supabase-js';
import { Counter, type Registry } from 'prom-client';
import { retentionProgress } from '../database/retention.ts';
import type { Log } from '../log.ts';

/**
 * What retention has removed. Read from the database when asked, because whichever process is elected does it; while
 * the database is away the last figures stay.
 */
export function measureRetention(registry: Registry, db: SupabaseClient, log: Log): void {
  new Counter({
    name: 'floorwalker_retention_removed_total',
    help: 'Rows that retention has removed since the beginning, by kind',
    labelNames: ['kind'] as const,
    registers: [registry],
    async collect() {
      try {
        const progress = await retentionProgress(db);
        this.reset();
        for (const [kind, count] of Object.entries(progress)) this.inc({ kind }, count);
      } catch (err) {
        log.debug({ err }, 'the progress of retention could not be read');
      }
    },
  });
}
