import type { Database } from '../database/client.ts';
import { appendLeftRecords, appendRecords, recordLeftMetrics, recordMetrics } from '../database/records.ts';
import type { RecordSink } from '../session/outbox.ts';

/** The database as an outbox writes to it. */
export function createRecordSink(db: Database): RecordSink {
  return {
    appendRecords: (batch) => appendRecords(db, batch),
    recordMetrics: async (rows) => void (await recordMetrics(db, rows)),
  };
}

/** The same for what dead processes have left, whose interactions may be in other hands. */
export function createLeftRecordSink(db: Database): RecordSink {
  return {
    appendRecords: (batch) => appendLeftRecords(db, batch),
    recordMetrics: async (rows) => void (await recordLeftMetrics(db, rows)),
  };
}
