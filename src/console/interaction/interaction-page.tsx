import '../styles/floor.css';
import '../styles/interaction.css';
import { ArrowLeft, MessageSquare, Phone } from 'lucide-react';
import { useEffect, useMemo, useSyncExternalStore } from 'react';
import { Link, useLocation, useParams } from 'wouter';
import { Empty } from '../components/empty.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { formatDuration, useSecond } from '../live/clock.ts';
import type { Interaction } from '../live/events.ts';
import { AGENTS, of } from '../live/live.ts';
import { useLive, useLiveValue, useLiveVersion } from '../live/live-context.tsx';
import { customerName } from '../live/words.ts';
import { useSeat } from '../room/desk-context.tsx';
import { useApp, useUserId } from '../session/app-context.ts';
import { useShortcuts } from '../shell/shortcuts.tsx';
import { useTitle } from '../shell/title.tsx';
import { ClosingPanel } from './closing-panel.tsx';
import { Composer } from './composer.tsx';
import { ControlPanel } from './control-panel.tsx';
import { Conversation, type ConversationState } from './conversation.ts';
import { DecisionPanel } from './decision-panel.tsx';
import { MoodPanel } from './mood-panel.tsx';
import { StandingPermissions } from './standing-permissions.tsx';
import { SummaryPanel } from './summary-panel.tsx';
import { Transcript } from './transcript.tsx';
import { UnknownCalls } from './unknown-calls.tsx';
import { WhisperBox } from './whisper-box.tsx';

function useConversation(id: string): ConversationState {
  const { api } = useApp();
  const live = useLive();
  const conversation = useMemo(() => new Conversation(id, api, live), [id, api, live]);
  useEffect(() => {
    conversation.start();
    return () => conversation.stop();
  }, [conversation]);
  return useSyncExternalStore(conversation.subscribe, conversation.state);
}

const ENDINGS: Readonly<Record<string, string>> = { completed: 'Ended', failed: 'Failed' };

function Elapsed({ interaction }: { readonly interaction: Interaction }) {
  useSecond();
  const live = useLive();
  const begin = Date.parse(interaction.started_at ?? interaction.created_at);
  const end = interaction.ended_at ? Date.parse(interaction.ended_at) : live.now();
  return <span className="numbers">{formatDuration((end - begin) / 1_000)}</span>;
}

function Head({ interaction }: { readonly interaction: Interaction }) {
  const agent = useLiveValue(AGENTS, (live) => live.agent(interaction.agent_id));
  const Channel = interaction.channel === 'voice' ? Phone : MessageSquare;
  const name = agent?.name ?? 'Agent';
  useTitle(`${interaction.channel === 'voice' ? 'Call' : 'Chat'} · ${name}`);
  const { status } = interaction;
  return (
    <div className="interaction-head">
      <Link href="/" className="button button-plain button-small">
        <ArrowLeft aria-hidden />
        Floor
      </Link>
      <Channel aria-hidden className="interaction-channel" />
      <span>{customerName(interaction)}</span>
      <Elapsed interaction={interaction} />
      {status === 'queued' && <span className="tag tag-wait">Waiting for an agent</span>}
      {ENDINGS[status] && <span className="tag">{ENDINGS[status]}</span>}
    </div>
  );
}

function Workplace({ id, state }: { readonly id: string; readonly state: ConversationState }) {
  const live = useLive();
  const userId = useUserId();
  const seat = useSeat(id);
  const [, go] = useLocation();
  useLiveVersion(of(id));
  useShortcuts(useMemo(() => [{ keys: 'u', label: 'Up to the floor', run: () => go('/') }], [go]));
  const { interaction } = state;
  if (!interaction) return null;
  const open = interaction.ended_at === null;
  const pending = open ? live.pendingOf(id) : [];
  return (
    <div className="interaction">
      <Head interaction={interaction} />
      <div className="interaction-talk">
        <Transcript state={state} />
        {seat?.mode === 'control' && seat.channel === 'chat' && (
          <Composer key={seat.interactionId} seat={seat} />
        )}
      </div>
      <div className="interaction-side">
        <DecisionPanel permissions={pending} />
        {state.calls.some((call) => call.state === 'unknown') && (
          <UnknownCalls id={id} happened={state.happened} />
        )}
        {open && <StandingPermissions id={id} happened={state.happened} />}
        {interaction.archive && <SummaryPanel archive={interaction.archive} />}
        {open && <ControlPanel interaction={interaction} userId={userId} />}
        {open && interaction.control === 'agent' && <WhisperBox id={id} />}
        <MoodPanel id={id} state={state} />
        <ClosingPanel key={id} interaction={interaction} />
      </div>
    </div>
  );
}

function Place({ id }: { readonly id: string }) {
  const state = useConversation(id);
  useTitle('Interaction');
  if (state.problem?.status === 404) {
    return (
      <Empty title="There is no such conversation">
        Or it is not with an agent of yours. <Link href="/">Back to the floor</Link>
      </Empty>
    );
  }
  return (
    <>
      <ProblemNotice problem={state.problem} />
      <Workplace id={id} state={state} />
    </>
  );
}

export default function InteractionPage() {
  const { id = '' } = useParams<{ id: string }>();
  return <Place key={id} id={id} />;
}
