import { Check, X } from 'lucide-react';
import { useRef } from 'react';
import { Link } from 'wouter';
import { Button } from '../components/button.tsx';
import { ProblemNotice } from '../components/notice.tsx';
import { Countdown } from '../decisions/countdown.tsx';
import { useKeepFocus } from '../decisions/keep-focus.ts';
import { RawArguments } from '../decisions/raw-arguments.tsx';
import { useDecision } from '../decisions/use-decision.ts';
import type { Permission } from '../live/events.ts';

/** What can be read at a glance may be decided at a glance; for more than this one has to open the conversation. */
const GLANCE_CHARACTERS = 320;

export function CardDecision({
  permission,
  more,
}: {
  readonly permission: Permission;
  readonly more: number;
}) {
  const { busy, problem, decide } = useDecision(permission);
  const { interaction_id, tool_name, arguments: wanted, requested_at, expires_at } = permission;
  const place = useRef<HTMLFieldSetElement>(null);
  useKeepFocus(
    place,
    (element) => element.closest('.card')?.querySelector<HTMLElement>('.card-link') ?? null,
  );
  const glance = JSON.stringify(wanted).length <= GLANCE_CHARACTERS;
  return (
    <fieldset
      ref={place}
      className="card-decision"
      aria-label={`Waits for your decision: ${tool_name}`}
      data-holds
    >
      <div className="card-decision-head">
        <code className="tool-name">{tool_name}</code>
        <Countdown from={requested_at} until={expires_at} />
      </div>
      {glance && <RawArguments label="What the model asks to run" value={wanted} />}
      <ProblemNotice problem={problem} />
      <div className="card-actions">
        {glance && (
          <>
            <Button
              size="small"
              look="primary"
              isPending={busy === 'allowed'}
              isDisabled={busy === 'denied'}
              onPress={() => void decide({ decision: 'allowed' })}
            >
              <Check aria-hidden />
              Allow
            </Button>
            <Button
              size="small"
              look="danger"
              isPending={busy === 'denied'}
              isDisabled={busy === 'allowed'}
              onPress={() => void decide({ decision: 'denied' })}
            >
              <X aria-hidden />
              Deny
            </Button>
          </>
        )}
        <Link href={`/interactions/${interaction_id}`} className="button button-plain button-small">
          {glance ? 'Note or edit' : 'Review'}
          {more > 0 && ` (${more} more)`}
        </Link>
      </div>
    </fieldset>
  );
}
