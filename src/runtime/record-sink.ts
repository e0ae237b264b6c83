import type { Database } from '../database/client.ts';
import { appendRecords, recordMetrics } from '../database/records.ts';
import type { RecordSink } from '../session/outbox.ts';

/** The database as an outbox writes to it. */
export function createRecordSink(db: Database): RecordSink {
  return {
    appendRecords: (batch) => appendRecords(db, batch),
    recordMetrics: async (rows) => void (await recordMetrics(db, rows)),
  };
}
