import { Headset, MessageSquare, Phone } from 'lucide-react';
import { memo } from 'react';
import { Link } from 'wouter';
import { SentimentPlot } from '../components/plot.tsx';
import { formatDuration, useSecond } from '../live/clock.ts';
import type { Interaction } from '../live/events.ts';
import { AGENTS, of, type Speech } from '../live/live.ts';
import { useLive, useLiveValue, useLiveVersion } from '../live/live-context.tsx';
import { customerName, describeTrack, ROLE_WORDS, SENTIMENT_WORDS } from '../live/words.ts';
import { CardAsks } from './card-asks.tsx';
import { CardDecision } from './card-decision.tsx';

/** An interim sentence that is not followed by another for so long is over, whatever became of its end. */
const STILL_SPEAKING_MS = 4_000;
const SILENCE_SHOWN_MS = 15_000;

function Elapsed({ interaction }: { readonly interaction: Interaction }) {
  useSecond();
  const live = useLive();
  const since = Date.parse(interaction.started_at ?? interaction.created_at);
  return <span className="numbers">{formatDuration((live.now() - since) / 1_000)}</span>;
}

/** Who has the word: the one thing that changes with every sentence. */
function Floor({
  interaction,
  speech,
}: {
  readonly interaction: Interaction;
  readonly speech: Speech | undefined;
}) {
  useSecond();
  const live = useLive();
  if (interaction.status === 'queued') return <span className="quiet">Waiting for an agent</span>;
  if (!speech) return <span className="quiet">Nobody has spoken yet</span>;
  const agoMs = live.now() - speech.atMs;
  const who = ROLE_WORDS[speech.role];
  if (!speech.final && agoMs < STILL_SPEAKING_MS) return <strong>{who} is speaking</strong>;
  if (agoMs < SILENCE_SHOWN_MS) return <span>{who} spoke last</span>;
  return <span className="quiet numbers">Silent for {formatDuration(agoMs / 1_000)}</span>;
}

function Control({ interaction }: { readonly interaction: Interaction }) {
  if (interaction.control !== 'supervisor') return null;
  const name = interaction.controlled_by_name;
  return (
    <span className="tag tag-human">
      <Headset aria-hidden />
      {name ? `${name} has control` : 'A supervisor has control'}
    </span>
  );
}

export const InteractionCard = memo(function InteractionCard({ id }: { readonly id: string }) {
  const live = useLive();
  const interaction = useLiveValue(of(id), (state) => state.interaction(id));
  const track = useLiveValue(of(id), (state) => state.track(id));
  const speech = useLiveValue(of(id), (state) => state.speech(id));
  const agentId = interaction?.agent_id ?? '';
  const agent = useLiveValue(AGENTS, (state) => state.agent(agentId));
  useLiveVersion(of(id));
  if (!interaction) return null;

  const [permission, ...others] = live.pendingOf(id);
  const sentiment = track.sentiments.at(-1);
  const score = track.scores.at(-1);
  const Channel = interaction.channel === 'voice' ? Phone : MessageSquare;
  const name = agent?.name ?? 'Agent';
  return (
    <li className="card" data-sentiment={sentiment ?? 'none'} data-waiting={permission ? true : undefined}>
      <div className="card-body">
        <div className="card-head">
          <Link href={`/interactions/${id}`} className="card-link">
            <Channel aria-hidden />
            <span className="only-read-aloud">{interaction.channel === 'voice' ? 'Call' : 'Chat'} with</span>
            {name}
          </Link>
          <Elapsed interaction={interaction} />
        </div>
        <div className="card-who">
          <span className="quiet">{customerName(interaction)}</span>
          <Control interaction={interaction} />
        </div>
        <div className="card-mood">
          <div className="card-figures">
            {sentiment ? (
              <>
                <span className={`tag tag-${sentiment}`}>{SENTIMENT_WORDS[sentiment]}</span>
                <span className="card-score numbers" title="Satisfaction, 0 to 100">
                  {Math.round(score ?? 0)}
                  <span className="only-read-aloud"> of 100 satisfaction</span>
                </span>
              </>
            ) : (
              <span className="quiet">No mood yet</span>
            )}
          </div>
          <SentimentPlot track={track} height={44} label={describeTrack(track)} />
        </div>
        <p className="card-feed">{track.feedText || 'Just begun'}</p>
        <p className="card-floor">
          <Floor interaction={interaction} speech={speech} />
        </p>
        <CardAsks interaction={interaction} />
      </div>
      {permission && <CardDecision key={permission.id} permission={permission} more={others.length} />}
    </li>
  );
});
