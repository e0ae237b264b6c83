import { startOfDay } from '../shared/time-zone.ts';

/** What a person looks for; days are calendar days of the business. Kept in the address, so that it can be shared. */
export const FIELDS = ['text', 'phone', 'tag', 'issue', 'sentiment', 'agent_id', 'from', 'to'] as const;
export type Field = (typeof FIELDS)[number];
export type Search = Readonly<Record<Field, string>>;

export const NO_SEARCH: Search = {
  text: '',
  phone: '',
  tag: '',
  issue: '',
  sentiment: '',
  agent_id: '',
  from: '',
  to: '',
};

export function readSearch(parameters: URLSearchParams): Search {
  return Object.fromEntries(FIELDS.map((field) => [field, parameters.get(field) ?? ''])) as Record<
    Field,
    string
  >;
}

export function writeSearch(search: Search): Record<string, string> {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== ''));
}

export type Sentiment = 'good' | 'neutral' | 'critical';
export interface ArchiveQuery {
  text?: string;
  phone?: string;
  tag?: string;
  issue?: string;
  sentiment?: Sentiment;
  agent_id?: string;
  from?: string;
  to?: string;
}

/** Tags are written the way people say them, and kept the way a vocabulary does. */
function asTag(words: string): string {
  return words
    .trim()
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '');
}

/** The API's form: tags in snake case, days as moments, the last one included. */
export function asQuery(search: Search, zone: string): ArchiveQuery {
  const sentiment = ['good', 'neutral', 'critical'].find((one) => one === search.sentiment);
  const wanted: Record<Field, string | undefined> = {
    text: search.text.trim(),
    phone: search.phone.trim(),
    tag: asTag(search.tag),
    issue: asTag(search.issue),
    sentiment,
    agent_id: search.agent_id,
    from: search.from && startOfDay(search.from, zone).toISOString(),
    to: search.to && startOfDay(search.to, zone, 1).toISOString(),
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value)) as ArchiveQuery;
}
