import { Headset, UserRound } from 'lucide-react';
import { useState } from 'react';
import { useLocation } from 'wouter';
import { asProblem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import type { Interaction } from '../live/events.ts';
import { useDesk } from '../room/desk-context.tsx';
import { useTell } from '../shell/notices.tsx';

/** The customer wants a human, who is one press away: the room is entered while the page is on its way. */
export function CardAsks({ interaction }: { readonly interaction: Interaction }) {
  const desk = useDesk();
  const tell = useTell();
  const [, go] = useLocation();
  const [busy, setBusy] = useState(false);
  const { id, supervisor_requested_at: at, supervisor_request_reason: reason, control, status } = interaction;
  if (!at || control === 'supervisor') return null;
  const take = async (): Promise<void> => {
    setBusy(true);
    try {
      await desk.takeOver(interaction);
      go(`/interactions/${id}`);
    } catch (error) {
      setBusy(false);
      tell(asProblem(error).message);
    }
  };
  return (
    <div className="card-asks" data-holds>
      <UserRound aria-hidden />
      <p>Asks for a human{reason && <q>{reason}</q>}</p>
      {status === 'active' && (
        <Button size="small" isPending={busy} onPress={() => void take()}>
          <Headset aria-hidden />
          Take over
        </Button>
      )}
    </div>
  );
}
