import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { answer } from '../client/api.ts';
import { SentimentPlot } from '../components/plot.tsx';
import { formatTime } from '../live/clock.ts';
import { allPages } from '../live/load-floor.ts';
import { describeTrack, SENTIMENT_WORDS } from '../live/words.ts';
import { useApp } from '../session/app-context.ts';
import type { ConversationState } from './conversation.ts';
import { marksOf } from './marks.ts';

/** How the customer feels, over time, and what happened at the turns. */
export function MoodPanel({ id, state }: { readonly id: string; readonly state: ConversationState }) {
  const { api } = useApp();
  const { track, happened } = state;
  const steps = useQuery({
    queryKey: ['steps', id, happened],
    queryFn: ({ signal }) =>
      allPages((cursor) => {
        const query = { limit: 200, ...(cursor ? { cursor } : {}) };
        return answer(api.GET('/v1/interactions/{id}/steps', { params: { path: { id }, query }, signal }));
      }),
    placeholderData: (before) => before,
    gcTime: 5_000,
  });
  const marks = useMemo(() => marksOf(steps.data ?? []), [steps.data]);
  const sentiment = track.sentiments.at(-1);
  return (
    <section className="panel" aria-labelledby="mood-title">
      <div className="card-mood">
        <h2 id="mood-title" className="panel-title">
          Mood
        </h2>
        {sentiment && (
          <span className="mood-now">
            <span className={`tag tag-${sentiment}`}>{SENTIMENT_WORDS[sentiment]}</span>
            <span className="card-score numbers">{Math.round(track.scores.at(-1) ?? 0)}</span>
            <span className="quiet">of 100</span>
          </span>
        )}
      </div>
      <SentimentPlot track={track} height={130} axes marks={marks} label={describeTrack(track)} />
      {track.feedText && <p>{track.feedText}</p>}
      {marks.length > 0 && (
        <ol className="marks" aria-label="What happened">
          {marks.slice(-6).map(({ seconds, label, tone }) => (
            <li key={`${seconds} ${label}`} data-tone={tone}>
              <time className="quiet numbers">{formatTime(seconds * 1_000)}</time> {label}
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
