import { Pause, Play } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import type { Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Select, Switch } from '../../components/field.tsx';
import { type Mark, SentimentPlot } from '../../components/plot.tsx';
import { formatDuration } from '../../live/clock.ts';
import { describeTrack } from '../../live/words.ts';
import { readTrack } from './metrics-track.ts';
import { MomentLine } from './moment-line.tsx';
import { type Player, usePlayer } from './player.ts';
import { happenedBy, type Moment, makeTimeline, type Timeline } from './timeline.ts';

const STEP_MS = 100;
const SPEEDS = [1, 2, 4, 16].map((speed) => ({ id: String(speed), label: `${speed} times as fast` }));

function Controls({ player, timeline }: { readonly player: Player; readonly timeline: Timeline }) {
  const { atMs, playing, speed } = player;
  return (
    <div className="player">
      <Button look="primary" onPress={player.toggle}>
        {playing ? <Pause aria-hidden /> : <Play aria-hidden />}
        {playing ? 'Pause' : 'Play'}
      </Button>
      <input
        type="range"
        className="player-place"
        aria-label="Place in the conversation"
        aria-valuetext={`${formatDuration(atMs / 1_000)} of ${formatDuration(timeline.durationMs / 1_000)}`}
        min={0}
        // A slider stops at whole steps: a shorter one never comes to what happened last.
        max={Math.ceil(timeline.durationMs / STEP_MS) * STEP_MS}
        step={STEP_MS}
        value={atMs}
        onChange={(event) => player.seek(Number(event.target.value))}
      />
      <span className="numbers">
        {formatDuration(atMs / 1_000)} / {formatDuration(timeline.durationMs / 1_000)}
      </span>
      <Select
        label="Speed"
        labelHidden
        choices={SPEEDS}
        value={String(speed)}
        onChange={(id) => player.setSpeed(Number(id))}
      />
    </div>
  );
}

/** Where something happened that a person will look for. */
function marksOf({ startMs, moments }: Timeline, atMs: number): Mark[] {
  const marks = moments.flatMap((moment): Mark[] => {
    const seconds = (startMs + moment.atMs) / 1_000;
    if (moment.kind === 'call' && moment.call.permission) {
      return [{ seconds, label: `Permission for ${moment.call.tool_name}`, tone: 'wait' }];
    }
    if (moment.kind === 'step' && /takeover|handoff|handback/.test(moment.step.step_type)) {
      return [{ seconds, label: 'A supervisor took over or handed back', tone: 'human' }];
    }
    return [];
  });
  return [...marks, { seconds: (startMs + atMs) / 1_000, label: 'Here', tone: 'plain' }];
}

/** The conversation as it went: read it as a whole, or play it along its time. */
export function ReplayView({ replay }: { readonly replay: Schemas['Replay'] }) {
  const timeline = useMemo(() => makeTimeline(replay), [replay]);
  const track = useMemo(() => readTrack(replay.archive.metrics_series), [replay]);
  const [withTrace, setTrace] = useState(false);
  const player = usePlayer(timeline.durationMs);
  const shown = useMemo(
    () => timeline.moments.filter(({ kind }) => withTrace || kind !== 'step'),
    [timeline, withTrace],
  );
  const happened = happenedBy(shown, player.atMs);
  const marks = useMemo(() => marksOf(timeline, player.atMs), [timeline, player.atMs]);
  return (
    <section className="panel stack" aria-label="Replay">
      {track.times.length > 0 && (
        <SentimentPlot track={track} label={describeTrack(track)} height={120} axes marks={marks} />
      )}
      <Controls player={player} timeline={timeline} />
      <Switch isSelected={withTrace} onChange={setTrace}>
        Show the trace: model calls, speech, joins and errors
      </Switch>
      <Lines moments={shown} happened={happened} player={player} />
    </section>
  );
}

function Lines({
  moments,
  happened,
  player,
}: {
  readonly moments: readonly Moment[];
  readonly happened: number;
  readonly player: Player;
}) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    if (!player.playing) return;
    list.current?.children[happened - 1]?.scrollIntoView({ block: 'nearest' });
  }, [happened, player.playing]);
  if (moments.length === 0) return <p className="quiet">Nothing was said.</p>;
  return (
    <ol className="moments" ref={list}>
      {moments.slice(0, happened).map((moment) => (
        <MomentLine key={moment.key} moment={moment} onSeek={player.seek} />
      ))}
    </ol>
  );
}
