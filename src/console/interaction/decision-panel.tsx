import { Check, PencilLine, X } from 'lucide-react';
import { useMemo, useRef, useState } from 'react';
import { Button } from '../components/button.tsx';
import { Switch, TextArea, TextInput } from '../components/field.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { Countdown } from '../decisions/countdown.tsx';
import { useKeepFocus } from '../decisions/keep-focus.ts';
import { RawArguments } from '../decisions/raw-arguments.tsx';
import { type Decided, useDecision } from '../decisions/use-decision.ts';
import type { Permission } from '../live/events.ts';
import { useDraft, useDraftText } from '../session/drafts.ts';
import { useShortcuts } from '../shell/shortcuts.tsx';
import { readEdited } from './edited.ts';

function Request({ permission, isFirst }: { readonly permission: Permission; readonly isFirst: boolean }) {
  const { busy, problem, decide } = useDecision(permission);
  const place = useRef<HTMLFieldSetElement>(null);
  useKeepFocus(place, () => document.querySelector<HTMLElement>('.transcript-list'));
  const [note, setNote] = useDraftText(`note ${permission.id}`);
  const [again, setAgain] = useState(false);
  const [draft, setDraft] = useDraft(`arguments ${permission.id}`);
  const {
    tool_name,
    tool_description,
    arguments: wanted,
    requested_at,
    expires_at,
    escalated_at,
  } = permission;
  const edited = useMemo(() => (draft === null ? undefined : readEdited(draft)), [draft]);
  const unreadable = edited && 'problem' in edited ? edited.problem : undefined;
  const refused = problem?.code === 'arguments_invalid' ? problem.message : undefined;

  const settle = async (decided: Decided): Promise<void> => {
    if (!(await decide({ ...decided, ...(note ? { note } : {}) }))) return;
    setNote('');
    setDraft(null);
  };
  const allow = (): void => {
    if (busy || unreadable) return;
    const changed = edited && 'value' in edited ? { arguments: edited.value } : {};
    void settle({ decision: 'allowed', again, ...changed });
  };
  const deny = (): void => {
    if (!busy) void settle({ decision: 'denied' });
  };
  useShortcuts(
    useMemo(
      () =>
        isFirst
          ? [
              {
                keys: 'd',
                label: 'To what waits for a decision',
                run: () => document.getElementById('allow')?.focus(),
              },
            ]
          : [],
      [isFirst],
    ),
  );

  return (
    <fieldset ref={place} className="decision" aria-label={`Waits for your decision: ${tool_name}`}>
      <div className="card-decision-head">
        <h2>
          May the agent run <code className="tool-name">{tool_name}</code>?
        </h2>
        <Countdown from={requested_at} until={expires_at} />
      </div>
      {escalated_at && (
        <p className="field-hint">Nobody answered for a while: cover and admins were asked too.</p>
      )}
      {tool_description && (
        <p className="decision-description">
          <span className="label">In the words of the tool’s server: </span>
          {tool_description}
        </p>
      )}
      <RawArguments label="What the model asks to run" value={wanted} />
      {draft !== null && (
        <TextArea
          label="Run this instead (JSON)"
          code
          rows={Math.min(12, draft.split('\n').length + 1)}
          value={draft}
          onChange={setDraft}
          error={unreadable ?? refused}
          autoFocus
        />
      )}
      <TextInput
        label="Note"
        placeholder="The agent is told why, when you deny"
        value={note}
        onChange={setNote}
        maxLength={1_000}
      />
      {!refused && <ProblemNotice problem={problem} />}
      <Switch isSelected={again} onChange={setAgain}>
        Allow this very call again without asking, as long as this conversation lasts
      </Switch>
      <div className="card-actions">
        <Button
          id={isFirst ? 'allow' : undefined}
          look="primary"
          isPending={busy === 'allowed'}
          isDisabled={busy === 'denied' || unreadable !== undefined}
          onPress={allow}
        >
          <Check aria-hidden />
          {draft === null ? 'Allow' : 'Allow as edited'}
        </Button>
        <Button look="danger" isPending={busy === 'denied'} isDisabled={busy === 'allowed'} onPress={deny}>
          <X aria-hidden />
          Deny
        </Button>
        <Button
          look="plain"
          aria-pressed={draft !== null}
          onPress={() => setDraft(draft === null ? JSON.stringify(wanted, null, 2) : null)}
        >
          <PencilLine aria-hidden />
          {draft === null ? 'Edit arguments' : 'Drop the edit'}
        </Button>
      </div>
    </fieldset>
  );
}

/** Everything that waits here, nearest deadline first. */
export function DecisionPanel({ permissions }: { readonly permissions: readonly Permission[] }) {
  return permissions.map((permission, index) => (
    <Request key={permission.id} permission={permission} isFirst={index === 0} />
  ));
}
