import { memo } from 'react';
import { RawArguments } from '../../decisions/raw-arguments.tsx';
import { formatDuration } from '../../live/clock.ts';
import { ROLE_WORDS } from '../../live/words.ts';
import { tagWords } from './tags.ts';
import type { Call, Moment, Step } from './timeline.ts';

const OUTCOMES: Readonly<Record<string, string>> = {
  allowed: 'Allowed',
  denied: 'Denied',
  timeout: 'Nobody decided in time, which counts as a no',
  withdrawn: 'Withdrawn: the customer no longer wanted it',
  pending: 'Never decided',
};

function CallLine({ call }: { readonly call: Call }) {
  const { permission } = call;
  return (
    <details className="call">
      <summary>
        Tool <code>{call.tool_name}</code>: {tagWords(call.state)}
        {permission && (
          <>
            {' · '}
            {OUTCOMES[permission.status] ?? permission.status}
            {permission.decided_by_name && ` by ${permission.decided_by_name}`}
          </>
        )}
      </summary>
      <RawArguments label="Arguments, as the model asked" value={call.arguments} />
      {permission?.edited_arguments != null && (
        <RawArguments label="Arguments, as the supervisor changed them" value={permission.edited_arguments} />
      )}
      {permission?.note && (
        <p>
          Note: <q>{permission.note}</q>
        </p>
      )}
      {call.output !== null && <RawArguments label="What the tool answered" value={call.output} />}
    </details>
  );
}

function stepFigures(step: Step): string {
  const figures = [
    step.model,
    step.duration_ms === null ? null : `${step.duration_ms} ms`,
    step.tokens_input === null ? null : `${step.tokens_input} tokens in`,
    step.tokens_output === null ? null : `${step.tokens_output} tokens out`,
    step.characters === null ? null : `${step.characters} characters`,
    step.audio_seconds === null ? null : `${step.audio_seconds} s of audio`,
  ];
  return figures.filter((figure) => figure !== null).join(' · ');
}

function StepLine({ step }: { readonly step: Step }) {
  return (
    <div className="trace">
      <span>
        {tagWords(step.step_type)} {step.name && step.name !== step.step_type && <code>{step.name}</code>}
      </span>{' '}
      <span className="quiet">{stepFigures(step)}</span>
      {step.error != null && <RawArguments label="Error" value={step.error} />}
    </div>
  );
}

function Content({ moment }: { readonly moment: Moment }) {
  if (moment.kind === 'call') return <CallLine call={moment.call} />;
  if (moment.kind === 'step') return <StepLine step={moment.step} />;
  const { role, content, interrupted } = moment.message;
  return (
    <div>
      <strong>{ROLE_WORDS[role]}</strong>
      <p className="said">{content}</p>
      {interrupted && <span className="quiet">Interrupted here.</span>}
    </div>
  );
}

/** What happened at one moment. Everything in it is text, whoever wrote it. */
export const MomentLine = memo(function MomentLine({
  moment,
  onSeek,
}: {
  readonly moment: Moment;
  readonly onSeek: (atMs: number) => void;
}) {
  const time = formatDuration(moment.atMs / 1_000);
  const role = moment.kind === 'said' ? moment.message.role : moment.kind;
  return (
    <li className="moment" data-role={role}>
      <button type="button" className="moment-time numbers" onClick={() => onSeek(moment.atMs)}>
        <span className="only-read-aloud">Go to </span>
        {time}
      </button>
      <Content moment={moment} />
    </li>
  );
});
