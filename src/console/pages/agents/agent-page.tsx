import '../pages.css';
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { ArrowLeft } from 'lucide-react';
import { useState } from 'react';
import { Link, useParams } from 'wouter';
import { answer, type Schemas } from '../../client/api.ts';
import { useApp } from '../../session/app-context.ts';
import { useTitle } from '../../shell/title.tsx';
import { Loaded } from '../shared/query-state.tsx';
import { AgentForm } from './agent-form.tsx';
import { Versions } from './versions.tsx';

type Detail = Schemas['AgentDetail'];

function Editor({ agent }: { readonly agent: Detail }) {
  const queries = useQueryClient();
  // What the form began with: an answer that arrives meanwhile must not change what somebody is writing.
  const [opened, setOpened] = useState(agent);
  const [saved, setSaved] = useState('');
  const take = (next: Detail, words: string): void => {
    setOpened(next);
    setSaved(words);
    queries.setQueryData(['agent', next.id], next);
    void queries.invalidateQueries({ queryKey: ['agent-versions', next.id] });
    void queries.invalidateQueries({ queryKey: ['agents'] });
  };
  return (
    <>
      <p role="status" className="saved">
        {saved}
      </p>
      <AgentForm
        key={opened.version}
        agent={opened}
        onSaved={(next) =>
          take(
            next,
            next.version === opened.version
              ? 'Nothing was different, so nothing was saved.'
              : `Saved as version ${next.version}. Conversations that begin from now on use it.`,
          )
        }
        onReload={(next) => take(next, `This is version ${next.version}.`)}
      />
      <Versions
        agent={opened}
        onRolledBack={(next, from) => take(next, `Version ${from} is back, as version ${next.version}.`)}
      />
    </>
  );
}

export default function AgentPage() {
  const { id = '' } = useParams();
  const { api } = useApp();
  const agent = useQuery({
    queryKey: ['agent', id],
    queryFn: ({ signal }) => answer(api.GET('/v1/agents/{id}', { params: { path: { id } }, signal })),
  });
  useTitle(agent.data?.name ?? 'Agent');
  return (
    <div className="stack">
      <p>
        <Link href="/agents" className="back">
          <ArrowLeft aria-hidden />
          Agents
        </Link>
      </p>
      <Loaded query={agent} what="the agent">
        {(data) => <Editor key={data.id} agent={data} />}
      </Loaded>
    </div>
  );
}
