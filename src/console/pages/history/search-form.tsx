import { type FormEvent, useState } from 'react';
import { Button } from '../../components/button.tsx';
import { type Choice, Select, TextInput } from '../../components/field.tsx';
import { type Field, NO_SEARCH, type Search } from './search.ts';

const MOODS: readonly Choice[] = [
  { id: '', label: 'Any mood' },
  { id: 'good', label: 'Good' },
  { id: 'neutral', label: 'Neutral' },
  { id: 'critical', label: 'Critical' },
];

/** Searches when it is sent, not at each letter: each search reads a year of conversations. */
export function SearchForm({
  search,
  agents,
  onSearch,
}: {
  readonly search: Search;
  readonly agents: readonly { readonly id: string; readonly name: string }[];
  readonly onSearch: (search: Search) => void;
}) {
  const [draft, setDraft] = useState(search);
  const set = (field: Field) => (value: string) => setDraft((before) => ({ ...before, [field]: value }));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    onSearch(draft);
  };
  const clear = (): void => {
    setDraft(NO_SEARCH);
    onSearch(NO_SEARCH);
  };
  return (
    <search>
      <form className="filters" onSubmit={submit}>
        <div className="filter-wide">
          <TextInput
            label="Words"
            hint="In summary and transcript; “a phrase”, or, -not"
            value={draft.text}
            onChange={set('text')}
            type="search"
          />
        </div>
        <TextInput
          label="Phone"
          hint="Any three digits of it"
          value={draft.phone}
          onChange={set('phone')}
          type="tel"
        />
        <TextInput label="Topic or tag" value={draft.tag} onChange={set('tag')} />
        <TextInput label="Issue" value={draft.issue} onChange={set('issue')} />
        <Select label="Mood" choices={MOODS} value={draft.sentiment} onChange={set('sentiment')} />
        <Select
          label="Agent"
          choices={[{ id: '', label: 'All agents' }, ...agents.map(({ id, name }) => ({ id, label: name }))]}
          value={draft.agent_id}
          onChange={set('agent_id')}
        />
        <TextInput label="From" type="date" value={draft.from} onChange={set('from')} />
        <TextInput label="Until" type="date" value={draft.to} onChange={set('to')} />
        <div className="filter-actions">
          <Button type="submit" look="primary">
            Search
          </Button>
          <Button onPress={clear}>Clear</Button>
        </div>
      </form>
    </search>
  );
}
