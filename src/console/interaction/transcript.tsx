import { ArrowDown } from 'lucide-react';
import { memo, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react';
import { Button } from '../components/button.tsx';
import { RawArguments } from '../decisions/raw-arguments.tsx';
import { formatTime } from '../live/clock.ts';
import { ROLE_WORDS } from '../live/words.ts';
import type { Call, ConversationState, Message } from './conversation.ts';
import { mergeEntries } from './entries.ts';

const SPEAKERS: Readonly<Record<Message['role'], string>> = {
  ...ROLE_WORDS,
  agent: 'Agent · written by the model',
  supervisor: 'Supervisor',
};

const Said = memo(function Said({ message }: { readonly message: Message }) {
  const { role, content, final, interrupted, atMs } = message;
  return (
    <li className="said" data-role={role} data-interim={!final || undefined}>
      <div className="said-head">
        <span className="said-who">{SPEAKERS[role]}</span>
        <time className="quiet numbers" dateTime={new Date(atMs).toISOString()}>
          {formatTime(atMs)}
        </time>
        {!final && <span className="quiet">speaking…</span>}
        {interrupted && <span className="tag">interrupted</span>}
      </div>
      {/* Whatever anybody wrote is text: React never makes markup of it. */}
      <p className="said-words">{content}</p>
    </li>
  );
});

const STATES: Readonly<Record<Call['state'], { readonly words: string; readonly tone: string }>> = {
  requested: { words: 'asked for', tone: 'neutral' },
  awaiting_permission: { words: 'waits for a decision', tone: 'wait' },
  running: { words: 'running', tone: 'neutral' },
  succeeded: { words: 'done', tone: 'good' },
  failed: { words: 'failed', tone: 'critical' },
  refused: { words: 'refused', tone: 'critical' },
  unknown: { words: 'outcome unknown', tone: 'wait' },
};

const REFUSALS: Readonly<Record<string, string>> = {
  denied: 'refused by a supervisor',
  timeout: 'refused: nobody decided in time',
  withdrawn: 'withdrawn by the customer',
  policy: 'refused by policy',
};

const Called = memo(function Called({ call }: { readonly call: Call }) {
  const { words, tone } = STATES[call.state];
  const refusal = call.state === 'refused' && call.refusal_reason ? REFUSALS[call.refusal_reason] : undefined;
  return (
    <li className="called">
      <div className="said-head">
        <span className="label">Tool call</span>
        <code className="tool-name">{call.tool_name}</code>
        <span className={`tag tag-${tone}`}>{refusal ?? words}</span>
        <time className="quiet numbers" dateTime={call.requested_at}>
          {formatTime(call.requested_at)}
        </time>
      </div>
      <details>
        <summary>Arguments{call.output !== null && ' and answer'}</summary>
        <RawArguments label="Arguments, as the model asked" value={call.arguments} />
        {call.output !== null && (
          <figure className="raw">
            <figcaption className="label">Answer, as the tool or the gate gave it to the model</figcaption>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the focus */}
            <pre tabIndex={0}>{call.output}</pre>
          </figure>
        )}
      </details>
    </li>
  );
});

/** Nearer to the end than this, a reader follows what comes. */
const AT_END_PIXELS = 60;

export function Transcript({ state }: { readonly state: ConversationState }) {
  const entries = useMemo(() => mergeEntries(state.messages, state.calls), [state.messages, state.calls]);
  const place = useRef<HTMLOListElement>(null);
  const follows = useRef(true);
  const [behind, setBehind] = useState(false);

  useLayoutEffect(() => {
    const list = place.current;
    if (!list || entries.length === 0) return;
    if (follows.current) list.scrollTop = list.scrollHeight;
    else setBehind(true);
  }, [entries]);

  useEffect(() => {
    const list = place.current;
    if (!list) return;
    const onScroll = (): void => {
      follows.current = list.scrollHeight - list.scrollTop - list.clientHeight < AT_END_PIXELS;
      if (follows.current) setBehind(false);
    };
    list.addEventListener('scroll', onScroll, { passive: true });
    return () => list.removeEventListener('scroll', onScroll);
  }, []);

  const toEnd = (): void => {
    const list = place.current;
    if (list) list.scrollTop = list.scrollHeight;
  };
  const last = state.messages.findLast(({ final, role }) => final && role !== 'system');
  return (
    <section className="transcript" aria-label="Transcript">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the focus */}
      <ol className="transcript-list" ref={place} tabIndex={0} aria-label="What was said and done">
        {entries.map((entry) =>
          entry.kind === 'message' ? (
            <Said key={entry.key} message={entry.message} />
          ) : (
            <Called key={entry.key} call={entry.call} />
          ),
        )}
        {entries.length === 0 && !state.loading && <li className="quiet">Nobody has said anything yet.</li>}
      </ol>
      {behind && (
        <Button size="small" className="transcript-newer" onPress={toEnd}>
          <ArrowDown aria-hidden />
          Newer below
        </Button>
      )}
      {/* Whole sentences only: interim text would be read over and over. */}
      <p className="only-read-aloud" aria-live="polite">
        {last && `${ROLE_WORDS[last.role]}: ${last.content}`}
      </p>
    </section>
  );
}
