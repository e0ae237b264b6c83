import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** What an operator sees of the event streams. */
export class EventMetrics {
  readonly listeners: Gauge;
  readonly sent: Counter<'event'>;
  readonly closed: Counter<'reason'>;
  readonly delay: Histogram;
  readonly failing: Gauge;

  constructor(registry: Registry) {
    const registers = [registry];
    this.listeners = new Gauge({
      name: 'floorwalker_event_listeners',
      help: 'Open event streams',
      registers,
    });
    this.sent = new Counter({
      name: 'floorwalker_events_sent_total',
      help: 'Events handed to listeners',
      labelNames: ['event'] as const,
      registers,
    });
    this.closed = new Counter({
      name: 'floorwalker_event_streams_closed_total',
      help: 'Event streams that ended, by why',
      labelNames: ['reason'] as const,
      registers,
    });
    this.delay = new Histogram({
      name: 'floorwalker_event_delay_seconds',
      help: 'From the change in the database to its reading, by the database’s clock',
      buckets: [0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 10, 60],
      registers,
    });
    this.failing = new Gauge({
      name: 'floorwalker_events_reader_failing',
      help: '1 while the change log can not be read',
      registers,
    });
  }
}
