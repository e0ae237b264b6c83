import type { ConversationState } from '../conversation/conversation.ts';

/** Who answers at this moment, as the customer may know it: an AI, or a human who has taken over. */
export function whoAnswers({ supervisor, agent }: ConversationState): { name: string; human: boolean } {
  if (supervisor !== undefined) {
    const name = supervisor === '' ? 'A member of the team' : supervisor;
    return { name: `${name} (a human)`, human: true };
  }
  return { name: `${agent.name} (AI assistant)`, human: false };
}

/** What is going on, in one sentence; '' when there is nothing to say. */
export function statusWords(state: ConversationState): string {
  const call = state.agent.agent_type === 'voice';
  switch (state.phase) {
    case 'joining':
      return 'Connecting…';
    case 'waiting':
      return waitingWords(state.position, call);
    case 'away':
      return 'The assistant lost its connection. Another one is on its way; nothing you said is lost.';
    case 'lost':
      return call
        ? 'Your connection is interrupted. Reconnecting…'
        : 'Your connection is interrupted. Reconnecting… What you write is kept.';
    case 'elsewhere':
      return 'This conversation was opened in another tab.';
    case 'ended':
      if (state.failed) return 'We are sorry: this had to be ended because of a fault on our side.';
      return call ? 'The call has ended.' : 'The conversation has ended.';
    case 'unreachable':
      return 'The conversation can’t be reached any more.';
    case 'talking':
      return '';
  }
}

function waitingWords(position: number | undefined, call: boolean): string {
  const stay = call ? 'Please stay on the line.' : 'You can already write.';
  if (position === undefined || position < 1) return `Someone will be with you in a moment. ${stay}`;
  return position === 1 ? `You are next. ${stay}` : `You are number ${position} in the queue. ${stay}`;
}
