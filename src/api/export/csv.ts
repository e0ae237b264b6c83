import type { FoundArchive } from '../../database/archive-search.ts';

/** Byte order mark: without it spreadsheets read UTF-8 as something older. */
const BOM = '\uFEFF';

/** What spreadsheets take for the beginning of a formula, their full-width twins included. */
const FORMULA = /^[\s\p{Cc}]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/u;

/**
 * A cell of RFC 4180. Text that a spreadsheet would run as a formula gets an apostrophe, which it shows as text:
 * what is in here was said by customers.
 */
export function csvCell(value: string | number | boolean | null): string {
  if (value === null) return '';
  if (typeof value !== 'string') return String(value);
  const safe = FORMULA.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const COLUMNS: readonly (readonly [
  name: string,
  value: (row: FoundArchive) => string | number | boolean | null,
])[] = [
  ['interaction_id', (row) => row.interaction_id],
  ['started_at', (row) => row.started_at],
  ['ended_at', (row) => row.ended_at],
  ['agent', (row) => row.agent_name],
  ['channel', (row) => row.channel],
  ['status', (row) => row.status],
  ['end_reason', (row) => row.end_reason],
  ['phone_number', (row) => row.phone_number],
  ['phone_source', (row) => row.phone_source],
  ['duration_seconds', (row) => row.duration_seconds],
  ['csat_score', (row) => row.csat_score],
  ['csat_source', (row) => row.csat_source],
  ['resolved_at_first_contact', (row) => row.fcr_status],
  ['sentiment', (row) => textAt(row.tags, 'sentiment')],
  ['topics', (row) => listAt(row.tags, 'topics').map(String).join(' ')],
  ['issue_tags', (row) => listAt(row.tags, 'issues').map(tagAndStatus).join(' ')],
  ['disposition', (row) => row.disposition],
  ['summary', (row) => row.summary],
];

export const csvHeader = `${BOM}${COLUMNS.map(([name]) => name).join(',')}\r\n`;

export function csvRow(row: FoundArchive): string {
  return `${COLUMNS.map(([, value]) => csvCell(value(row))).join(',')}\r\n`;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}

function textAt(value: unknown, name: string): string | null {
  const found = fieldOf(value, name);
  return typeof found === 'string' ? found : null;
}

function listAt(value: unknown, name: string): unknown[] {
  const found = fieldOf(value, name);
  return Array.isArray(found) ? found : [];
}

/** `late_delivery:unresolved` */
function tagAndStatus(issue: unknown): string {
  return `${textAt(issue, 'tag') ?? ''}:${textAt(issue, 'status') ?? ''}`;
}
