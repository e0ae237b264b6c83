import { Ear, Hand, Headset, Undo2 } from 'lucide-react';
import { useMemo, useState } from 'react';
import { asProblem, type Problem } from '../client/problem.ts';
import { Button } from '../components/button.tsx';
import { Dialog } from '../components/dialog.tsx';
import { TextArea } from '../components/field.tsx';
import { Notice, ProblemNotice } from '../components/notice.tsx';
import { formatTime } from '../live/clock.ts';
import type { Interaction } from '../live/events.ts';
import { useDesk, useSeat } from '../room/desk-context.tsx';
import { useDraftText } from '../session/drafts.ts';
import { useShortcuts } from '../shell/shortcuts.tsx';

function HandBack({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const desk = useDesk();
  const [note, setNote] = useDraftText(`hand back ${id}`);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const handBack = async (): Promise<void> => {
    setBusy(true);
    setProblem(null);
    try {
      await desk.handBack(id, note.trim());
      setNote('');
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };
  return (
    <Dialog
      title="Hand back to the agent"
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>Keep control</Button>
          <Button look="primary" isPending={busy} onPress={() => void handBack()}>
            Hand back
          </Button>
        </>
      }
    >
      <p>The agent has followed the conversation and knows what you said. It goes on at once.</p>
      <TextArea
        label="What the agent should know or do (the customer never sees it)"
        value={note}
        onChange={setNote}
        maxLength={2_000}
        autoFocus
      />
      <ProblemNotice problem={problem} />
    </Dialog>
  );
}

function heldBy({ facts }: Problem): string {
  const name = typeof facts.controlled_by_name === 'string' ? facts.controlled_by_name : 'Somebody else';
  const since = typeof facts.since === 'string' ? `, since ${formatTime(facts.since)}` : '';
  return `${name} has control${since}.`;
}

/** Who leads the conversation, and how to change it. */
export function ControlPanel({
  interaction,
  userId,
}: {
  readonly interaction: Interaction;
  readonly userId: string;
}) {
  const desk = useDesk();
  const seat = useSeat(interaction.id);
  const [busy, setBusy] = useState<'take' | 'listen' | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [handingBack, setHandingBack] = useState(false);
  const { control, controlled_by, status, channel } = interaction;
  const mine = control === 'supervisor' && controlled_by === userId;
  const others = control === 'supervisor' && !mine;
  const held = problem?.code === 'control_held';

  const run = async (what: 'take' | 'listen', work: () => Promise<void>): Promise<void> => {
    setBusy(what);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(null);
    }
  };
  const take = (insist: boolean) => run('take', () => desk.takeOver(interaction, insist));
  useShortcuts(
    useMemo(
      () => [
        mine
          ? { keys: 'b', label: 'Hand back to the agent', run: () => setHandingBack(true) }
          : {
              keys: 't',
              label: 'To the button that takes over',
              run: () => document.getElementById('take')?.focus(),
            },
      ],
      [mine],
    ),
  );

  return (
    <section className="panel" aria-labelledby="control-title">
      <h2 id="control-title" className="panel-title">
        Control
      </h2>
      <p>
        {mine && <strong>You have control. The agent listens and is silent.</strong>}
        {others && <strong>{interaction.controlled_by_name ?? 'Another supervisor'} has control.</strong>}
        {control === 'agent' && 'The agent leads the conversation.'}
      </p>
      {held && (
        <div role="alert">
          <Notice tone="wait">{heldBy(problem)}</Notice>
        </div>
      )}
      {!held && <ProblemNotice problem={problem} />}
      <div className="card-actions">
        {mine ? (
          <Button look="primary" onPress={() => setHandingBack(true)}>
            <Undo2 aria-hidden />
            Hand back
          </Button>
        ) : (
          <Button
            id="take"
            look={control === 'agent' ? 'primary' : 'normal'}
            isPending={busy === 'take'}
            isDisabled={status !== 'active'}
            onPress={() => void take(false)}
          >
            <Headset aria-hidden />
            Take over
          </Button>
        )}
        {(held || others) && (
          <Button look="danger" isPending={busy === 'take'} onPress={() => void take(true)}>
            <Hand aria-hidden />
            Insist
          </Button>
        )}
        {channel === 'voice' && !seat && !mine && (
          <Button
            isPending={busy === 'listen'}
            isDisabled={status !== 'active'}
            onPress={() => void run('listen', () => desk.monitor(interaction))}
          >
            <Ear aria-hidden />
            Listen
          </Button>
        )}
      </div>
      {handingBack && mine && <HandBack id={interaction.id} onClose={() => setHandingBack(false)} />}
    </section>
  );
}
