import '../pages.css';
import { useQuery } from '@tanstack/react-query';
import { ArrowLeft } from 'lucide-react';
import { Link, useParams } from 'wouter';
import { answer, type Schemas } from '../../client/api.ts';
import { formatDuration } from '../../live/clock.ts';
import { SENTIMENT_WORDS } from '../../live/words.ts';
import { useApp } from '../../session/app-context.ts';
import { useMe } from '../../session/me.ts';
import { useTitle } from '../../shell/title.tsx';
import { Loaded } from '../shared/query-state.tsx';
import { formatMoment } from '../shared/time-zone.ts';
import { ExportOne } from './export-one.tsx';
import { ReplayView } from './replay-view.tsx';
import { readIssues, readTags, tagWords } from './tags.ts';

type Replay = Schemas['Replay'];

const SOURCE_WORDS = {
  model: 'estimated by a model',
  customer: 'rated by the customer',
  metrics: 'from the mood',
};

function csatWords({ csat_score, csat_source }: Replay['archive']): string {
  if (csat_score === null) return 'not known';
  const source = SOURCE_WORDS[csat_source as keyof typeof SOURCE_WORDS];
  return source ? `${Math.round(csat_score)} of 100, ${source}` : `${Math.round(csat_score)} of 100`;
}

function Facts({ replay, zone }: { readonly replay: Replay; readonly zone: string }) {
  const { archive } = replay;
  const { sentiment, topics } = readTags(archive.tags);
  const facts: [string, string][] = [
    ['Began', formatMoment(replay.started_at, zone)],
    ['Length', replay.duration_seconds === null ? '–' : formatDuration(replay.duration_seconds)],
    ['Customer', replay.phone_number ?? 'Number unknown'],
    ['Ended', tagWords(replay.end_reason ?? replay.status)],
    ['Mood', sentiment ? SENTIMENT_WORDS[sentiment] : '–'],
    ['CSAT', csatWords(archive)],
    ['Solved at first contact', archive.fcr_status ? 'Yes' : 'No'],
    ['Topics', topics.map(tagWords).join(', ') || '–'],
    ['Rating', replay.rating === null ? 'none' : `${replay.rating} of 5`],
    ['Outcome', replay.disposition ?? '–'],
  ];
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Archived({ replay, zone }: { readonly replay: Replay; readonly zone: string }) {
  const { archive } = replay;
  const issues = readIssues(archive.issues);
  return (
    <div className="stack">
      <section className="panel stack" aria-label="Summary">
        <p className="summary">
          {archive.summary}{' '}
          <span className="quiet">
            {archive.summary_source === 'model'
              ? 'Written by a model.'
              : 'Made of the facts; no model has written one.'}
          </span>
        </p>
        {issues.length > 0 && (
          <ul className="issues" aria-label="Issues">
            {issues.map(({ issue, status, priority }) => (
              <li key={issue}>
                {issue} <span className="tag">{tagWords(status)}</span>
                {priority && <span className="tag">{tagWords(priority)}</span>}
              </li>
            ))}
          </ul>
        )}
        {replay.rating_comment && (
          <p>
            The customer wrote: <q>{replay.rating_comment}</q>
          </p>
        )}
        {replay.supervisor_notes && (
          <p>
            Notes: <q>{replay.supervisor_notes}</q>
          </p>
        )}
        <Facts replay={replay} zone={zone} />
        <ExportOne id={replay.interaction_id} />
      </section>
      <ReplayView replay={replay} />
    </div>
  );
}

export default function ArchivePage() {
  const { id = '' } = useParams();
  const { api } = useApp();
  const me = useMe();
  const replay = useQuery({
    queryKey: ['archive', id],
    queryFn: ({ signal }) => answer(api.GET('/v1/archives/{id}', { params: { path: { id } }, signal })),
  });
  useTitle(replay.data ? `Conversation with ${replay.data.agent_name}` : 'Conversation');
  return (
    <div className="stack">
      <p>
        <Link href="/history" className="back">
          <ArrowLeft aria-hidden />
          History
        </Link>
      </p>
      <Loaded query={replay} what="the conversation">
        {(data) => <Archived replay={data} zone={me?.business.time_zone ?? 'UTC'} />}
      </Loaded>
    </div>
  );
}
