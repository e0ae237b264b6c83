import type { Replay } from '../../database/archive-search.ts';

/** Backslashes before everything that Markdown or HTML would take for more than text. */
export function plain(text: string): string {
  return text.replace(/[\\`*_{}[\]<>()#+\-.!|~&$^=:@]/g, '\\$&');
}

/** A fence longer than any run of backticks inside, so that what it holds can't close it. */
function fenced(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}

const SPEAKERS = {
  customer: 'Customer',
  agent: 'Agent',
  supervisor: 'Supervisor',
  system: 'System',
} as const;

/** Hours, minutes and seconds in the time zone of the business. */
function clock(instant: string, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { timeZone, timeStyle: 'medium' }).format(new Date(instant));
}

function messageLines(replay: Replay, timeZone: string): { at: string; text: string }[] {
  return replay.messages.map((message) => {
    const at = message.spoken_at ?? message.created_at;
    const note = message.interrupted ? ' *(interrupted)*' : '';
    const words = plain(message.content).replaceAll('\n', '  \n');
    return { at, text: `**${SPEAKERS[message.role]}**, ${clock(at, timeZone)}${note}: ${words}` };
  });
}

function callLines(replay: Replay, timeZone: string): { at: string; text: string }[] {
  return replay.tool_calls.map((call) => {
    const { permission } = call;
    const who = permission?.decided_by_name ? ` by ${plain(permission.decided_by_name)}` : '';
    const note = permission?.note ? `, note: ${plain(permission.note)}` : '';
    const decision = permission ? `; permission ${permission.status}${who}${note}` : '';
    const lines = [
      `**Tool** ${plain(call.tool_name)}, ${clock(call.requested_at, timeZone)}: ${call.state}${decision}`,
      fenced(JSON.stringify(permission?.edited_arguments ?? call.arguments, null, 2) ?? 'null'),
    ];
    if (call.output !== null) lines.push(fenced(call.output));
    return { at: call.requested_at, text: lines.join('\n\n') };
  });
}

/** The conversation with its tool calls, in the order in which it happened, for a person to read. */
export function replayAsMarkdown(replay: Replay, timeZone: string): string {
  const { archive } = replay;
  const day = new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'medium' });
  const facts = [
    `- Agent: ${plain(replay.agent_name)}${replay.agent_version === null ? '' : ` (version ${replay.agent_version})`}`,
    `- Channel: ${replay.channel}`,
    `- Started: ${day.format(new Date(replay.started_at))} (${plain(timeZone)})`,
    `- Duration: ${replay.duration_seconds ?? 0} s`,
    `- Ended: ${replay.status}, ${plain((replay.end_reason ?? 'unknown').replaceAll('_', ' '))}`,
    ...(replay.phone_number === null
      ? []
      : [`- Phone: ${plain(replay.phone_number)} (${replay.phone_source})`]),
    ...(archive.csat_score === null ? [] : [`- CSAT: ${archive.csat_score} (${archive.csat_source})`]),
    `- Resolved at first contact: ${archive.fcr_status ? 'yes' : 'no'}`,
    ...(replay.disposition === null ? [] : [`- Disposition: ${plain(replay.disposition)}`]),
  ];
  const events = [...messageLines(replay, timeZone), ...callLines(replay, timeZone)]
    .map((event, place) => ({ ...event, place }))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.place - b.place);
  const parts = [
    `# Interaction ${replay.interaction_id}`,
    facts.join('\n'),
    '## Summary',
    plain(archive.summary),
    ...(replay.supervisor_notes === null ? [] : ['## Notes', plain(replay.supervisor_notes)]),
    '## Conversation',
    ...events.map(({ text }) => text),
  ];
  return `${parts.join('\n\n')}\n`;
}
