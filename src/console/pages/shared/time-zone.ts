/** Times of a business are read where the business is, not where the browser happens to be. */

const DAY_MS = 86_400_000;

/** How far the zone's clock is ahead of UTC at that moment. */
function offsetMs(zone: string, at: number): number {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  }).formatToParts(at);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const shown = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
  return shown - Math.floor(at / 1_000) * 1_000;
}

/** When a calendar day (`2026-03-29`) begins in the zone; `days` later where given. */
export function startOfDay(day: string, zone: string, days = 0): Date {
  const utc = Date.parse(`${day}T00:00:00Z`) + days * DAY_MS;
  // The offset at the guess may be that of the other side of a clock change; the second look is on the right side.
  const guess = utc - offsetMs(zone, utc);
  return new Date(utc - offsetMs(zone, guess));
}

const formats = new Map<string, Intl.DateTimeFormat>();

export function formatMoment(at: string | null, zone: string): string {
  if (at === null) return '–';
  const format =
    formats.get(zone) ??
    new Intl.DateTimeFormat(undefined, { timeZone: zone, dateStyle: 'medium', timeStyle: 'short' });
  formats.set(zone, format);
  return format.format(new Date(at));
}
