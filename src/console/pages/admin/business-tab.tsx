import { useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { TextArea, TextInput } from '../../components/field.tsx';
import { Notice, ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { Loaded } from '../shared/query-state.tsx';
import { useChange } from './use-change.ts';

type Business = Schemas['Business'];
type Retention = NonNullable<Schemas['ChangeBusiness']['retention']>;

const KEPT = [
  { id: 'archives_days', label: 'Archives (days)', hint: 'Empty: 90' },
  { id: 'transcripts_days', label: 'Transcripts (days)', hint: 'Empty: as long as the archive' },
  { id: 'rehearsals_days', label: 'Rehearsals (days)', hint: 'Empty: 730' },
  { id: 'failed_rehearsals_days', label: 'Failed rehearsals (days)', hint: 'Empty: 365' },
  { id: 'metrics_hours', label: 'Live metrics (hours)', hint: 'Empty: 24, which is the most' },
] as const;
type Kept = (typeof KEPT)[number]['id'];

const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');

function readRetention(texts: Readonly<Record<Kept, string>>): Retention {
  const figures = KEPT.filter(({ id }) => texts[id].trim() !== '').map(({ id }) => [id, Number(texts[id])]);
  return Object.fromEntries(figures);
}

function Form({
  business,
  onSaved,
}: {
  readonly business: Business;
  readonly onSaved: (words: string) => void;
}) {
  const { api } = useApp();
  const queries = useQueryClient();
  const { busy, problem, run } = useChange();
  const [name, setName] = useState(business.name);
  const [zone, setZone] = useState(business.time_zone);
  const [origins, setOrigins] = useState(business.allowed_origins.join('\n'));
  const [topics, setTopics] = useState(business.tag_vocabulary.topics.join('\n'));
  const [issues, setIssues] = useState(business.tag_vocabulary.issues.join('\n'));
  const [retention, setRetention] = useState(
    () =>
      Object.fromEntries(KEPT.map(({ id }) => [id, String(business.retention[id] ?? '')])) as Record<
        Kept,
        string
      >,
  );
  const wrong = KEPT.find(({ id }) => retention[id].trim() !== '' && !/^\d+$/.test(retention[id].trim()));
  const save = (event: FormEvent): void => {
    event.preventDefault();
    if (wrong) return;
    const body = {
      name: name.trim(),
      time_zone: zone.trim(),
      allowed_origins: lines(origins),
      retention: readRetention(retention),
      tag_vocabulary: { topics: lines(topics), issues: lines(issues) },
      expected_updated_at: business.updated_at,
    };
    onSaved('');
    void run(async () => {
      queries.setQueryData(['business'], await answer(api.PATCH('/v1/business', { body })));
      onSaved('Saved.');
      await queries.invalidateQueries({ queryKey: ['me'] });
    }, 'Saved.');
  };
  return (
    <form className="stack" onSubmit={save} noValidate>
      <section className="panel form-grid" aria-label="Name and time">
        <TextInput label="Name" value={name} onChange={setName} isRequired />
        <TextInput
          label="Time zone"
          hint="Such as Europe/Amsterdam"
          value={zone}
          onChange={setZone}
          isRequired
        />
      </section>
      <section className="panel stack" aria-label="Websites">
        <TextArea
          label="Websites that may start conversations and show the widget"
          hint="One origin a line: scheme and host, such as https://shop.example. A * alone allows every website."
          rows={4}
          code
          value={origins}
          onChange={setOrigins}
        />
        {lines(origins).includes('*') && (
          <Notice tone="wait">Every website may start conversations in this business’s name.</Notice>
        )}
      </section>
      <section className="panel stack" aria-label="How long things are kept">
        <p className="quiet">What is older is deleted for good.</p>
        <div className="form-grid">
          {KEPT.map(({ id, label, hint }) => (
            <TextInput
              key={id}
              label={label}
              hint={hint}
              inputMode="numeric"
              value={retention[id]}
              onChange={(value) => setRetention((before) => ({ ...before, [id]: value }))}
              error={wrong?.id === id ? 'Write a whole number, or nothing.' : undefined}
            />
          ))}
        </div>
      </section>
      <section className="panel form-grid" aria-label="Tags">
        <TextArea label="Topics, one a line" rows={5} code value={topics} onChange={setTopics} />
        <TextArea label="Issues, one a line" rows={5} code value={issues} onChange={setIssues} />
      </section>
      {problem?.code === 'version_conflict' ? (
        <Notice tone="critical">
          Somebody else changed these settings meanwhile. Copy what you need, then load them anew.{' '}
          <Button size="small" onPress={() => void queries.invalidateQueries({ queryKey: ['business'] })}>
            Load anew
          </Button>
        </Notice>
      ) : (
        <ProblemNotice problem={problem} />
      )}
      <div className="row-end">
        <Button type="submit" look="primary" isPending={busy}>
          Save
        </Button>
      </div>
    </form>
  );
}

export function BusinessTab() {
  const { api } = useApp();
  // Outside the form, which is a new one after each save.
  const [saved, setSaved] = useState('');
  const business = useQuery({
    queryKey: ['business'],
    queryFn: () => answer(api.GET('/v1/business')),
    // What somebody is writing must not be replaced by what arrives meanwhile.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  return (
    <>
      <Loaded query={business} what="the settings">
        {(data) => <Form key={data.updated_at} business={data} onSaved={setSaved} />}
      </Loaded>
      <p role="status">{saved}</p>
    </>
  );
}
