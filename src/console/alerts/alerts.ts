import type { LiveEvent } from '../live/events.ts';
import type { Live } from '../live/live.ts';

/** What a supervisor should notice although they look elsewhere. */
export type AlertKind = 'permission' | 'human' | 'critical' | 'silence';

export interface Alert {
  readonly kind: AlertKind;
  /** The same for as long as it is the same occasion: it is raised once. */
  readonly key: string;
  readonly interactionId: string | null;
  readonly text: string;
}

/** Longer than any agent takes to answer; the agent itself asks "are you still there" before. */
export const LONG_SILENCE_MS = 30_000;

/** Everything that wants attention now, by its key. */
export function currentAlerts(live: Live): Map<string, Alert> {
  const alerts = new Map<string, Alert>();
  const add = (alert: Alert): void => void alerts.set(alert.key, alert);
  const name = (agentId: string): string => live.agent(agentId)?.name ?? 'An agent';

  for (const { id, interaction_id, tool_name } of live.pending()) {
    const interaction = live.interaction(interaction_id);
    const who = interaction ? name(interaction.agent_id) : 'An agent';
    add({
      kind: 'permission',
      key: `permission ${id}`,
      interactionId: interaction_id,
      text: `${who} waits for your decision: ${tool_name}`,
    });
  }
  for (const interaction of live.openInteractions()) {
    const { id, agent_id, supervisor_requested_at: requestedAt, control, status } = interaction;
    const by = control === 'supervisor';
    if (requestedAt && !by) {
      add({
        kind: 'human',
        key: `human ${id} ${requestedAt}`,
        interactionId: id,
        text: `A customer of ${name(agent_id)} asks for a human`,
      });
    }
    if (live.track(id).sentiments.at(-1) === 'critical' && !by) {
      add({
        kind: 'critical',
        key: `critical ${id}`,
        interactionId: id,
        text: `A conversation of ${name(agent_id)} is critical`,
      });
    }
    const speech = live.speech(id);
    if (
      status === 'active' &&
      speech &&
      live.now() - speech.atMs > LONG_SILENCE_MS &&
      live.pendingOf(id).length === 0
    ) {
      add({
        kind: 'silence',
        key: `silence ${id} ${speech.atMs}`,
        interactionId: id,
        text: `Nobody has spoken with ${name(agent_id)} for a while`,
      });
    }
  }
  for (const { id, reason } of live.callbacks()) {
    add({
      kind: 'human',
      key: `callback ${id}`,
      interactionId: null,
      text: reason ? `A customer wants to be called back: ${reason}` : 'A customer wants to be called back',
    });
  }
  return alerts;
}

/** Events after which something may want attention. */
export function mayAlert({ kind }: LiveEvent): boolean {
  return kind === 'permission' || kind === 'interaction' || kind === 'metrics' || kind === 'callback';
}
