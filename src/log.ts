import pino, { type Logger } from 'pino';

export type Log = Logger;

/**
 * Keys whose values may be personal or secret. Log messages are static and values are fields, so that
 * redaction by key is complete: what a customer said, wrote or is called never reaches a log line.
 */
const REDACTED_KEYS = [
  'authorization',
  'apikey',
  'api_key',
  'password',
  'secret',
  'token',
  'resume_token',
  'phone',
  'phone_number',
  'email',
  'text',
  'content',
  'arguments',
  'output',
  'headers',
];

/** The only place that makes a root logger. Components take a `Log` and add fields with `child`. */
export function createLog(options: {
  level: string;
  name?: string;
  destination?: pino.DestinationStream;
}): Log {
  return pino(
    {
      name: options.name ?? 'floorwalker',
      level: options.level,
      redact: {
        paths: REDACTED_KEYS.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
        censor: '[redacted]',
      },
      serializers: { err: pino.stdSerializers.err },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    options.destination ?? pino.destination({ dest: 2, sync: true }),
  );
}
