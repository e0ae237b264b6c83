import { Ear, Headset } from 'lucide-react';
import { lazy, Suspense } from 'react';
import { Link, useLocation } from 'wouter';
import { Button } from '../components/button.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { AGENTS, of } from '../live/live.ts';
import { useLiveValue } from '../live/live-context.tsx';
import type { Seat } from './desk.ts';
import { useDesk, useSeats } from './desk-context.tsx';

const VoiceControls = lazy(() => import('./voice-controls.tsx'));

const PHASES: Readonly<Record<Seat['phase'], string>> = {
  joining: 'Entering the room…',
  joined: '',
  reconnecting: 'The connection to the room is lost, trying again…',
  elsewhere: 'You have entered this room in another window.',
  failed: 'The room could not be entered.',
};

function DockedSeat({ seat }: { readonly seat: Seat }) {
  const desk = useDesk();
  const [place] = useLocation();
  const interaction = useLiveValue(of(seat.interactionId), (live) => live.interaction(seat.interactionId));
  const agent = useLiveValue(AGENTS, (live) => live.agent(interaction?.agent_id ?? ''));
  const href = `/interactions/${seat.interactionId}`;
  const isControl = seat.mode === 'control';
  const Icon = isControl ? Headset : Ear;
  const again = (): void => {
    if (interaction)
      void (isControl ? desk.takeOver(interaction) : desk.monitor(interaction)).catch(() => {});
  };
  return (
    <div className="docked" data-mode={seat.mode}>
      <p className="docked-words">
        <Icon aria-hidden />
        <strong>{isControl ? 'You have control' : 'You listen, unseen'}</strong>
        {agent && <span className="quiet">{agent.name}</span>}
      </p>
      <span role="status">{PHASES[seat.phase]}</span>
      {seat.channel === 'voice' && seat.joined && (
        <Suspense fallback={null}>
          <VoiceControls room={seat.joined.room} mode={seat.mode} />
        </Suspense>
      )}
      <ProblemNotice problem={seat.problem} />
      <span className="bar-fill" />
      {(seat.phase === 'failed' || seat.phase === 'elsewhere') && (
        <Button onPress={again}>Enter it here</Button>
      )}
      {place !== href && (
        <Link href={href} className="button">
          Open
        </Link>
      )}
      {!isControl && <Button onPress={() => desk.leave(seat.interactionId)}>Stop listening</Button>}
    </div>
  );
}

/** Rooms this person is in, below every page: a call goes on while they look at the floor. */
export function Dock() {
  const seats = useSeats();
  if (seats.length === 0) return null;
  return (
    <aside className="dock" aria-label="Rooms you are in">
      {seats.map((seat) => (
        <DockedSeat key={seat.interactionId} seat={seat} />
      ))}
    </aside>
  );
}
