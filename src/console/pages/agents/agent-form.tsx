import { type FormEvent, useState } from 'react';
import { answer, type Schemas } from '../../client/api.ts';
import { asProblem, type Problem } from '../../client/problem.ts';
import { Button } from '../../components/button.tsx';
import { Switch, TextArea, TextInput } from '../../components/field.tsx';
import { ProblemNotice } from '../../components/notice.tsx';
import { useApp } from '../../session/app-context.ts';
import { ConflictDialog } from './conflict-dialog.tsx';
import { type Draft, draftOf, editOf, type FieldErrors } from './draft.ts';
import { fieldErrors, readConflict } from './refusals.ts';
import { ToolFields } from './tool-fields.tsx';

type Detail = Schemas['AgentDetail'];

export function AgentForm({
  agent,
  onSaved,
  onReload,
}: {
  readonly agent: Detail;
  readonly onSaved: (agent: Detail) => void;
  readonly onReload: (agent: Detail) => void;
}) {
  const { api } = useApp();
  const [draft, setDraft] = useState(() => draftOf(agent));
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [own, setOwn] = useState<FieldErrors>({});
  const errors = { ...fieldErrors(problem), ...own };
  const conflict = readConflict(problem);
  const set =
    <F extends keyof Draft>(field: F) =>
    (value: Draft[F]) =>
      setDraft((before) => ({ ...before, [field]: value }));

  const save = async (version: number): Promise<void> => {
    if (busy) return;
    setProblem(null);
    const read = editOf(draft, agent, { version, note });
    setOwn('errors' in read ? read.errors : {});
    if ('errors' in read) return;
    setBusy(true);
    try {
      const path = { id: agent.id };
      onSaved(await answer(api.PUT('/v1/agents/{id}', { params: { path }, body: read.edit })));
    } catch (error) {
      setProblem(asProblem(error));
    } finally {
      setBusy(false);
    }
  };
  const reload = async (): Promise<void> => {
    try {
      onReload(await answer(api.GET('/v1/agents/{id}', { params: { path: { id: agent.id } } })));
    } catch (error) {
      setProblem(asProblem(error));
    }
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void save(agent.version);
  };
  const known = Object.keys(errors).length > 0;

  return (
    <form className="stack" onSubmit={submit} noValidate>
      <section className="panel stack" aria-label="Who it is">
        <div className="form-grid">
          <TextInput label="Name" value={draft.name} onChange={set('name')} error={errors.name} isRequired />
          <TextInput
            label="Language"
            hint="A language tag, such as en or pt-PT"
            value={draft.language}
            onChange={set('language')}
            error={errors.language}
          />
          <TextInput
            label="Conversations at once"
            value={draft.max_concurrent_interactions}
            onChange={set('max_concurrent_interactions')}
            error={errors.max_concurrent_interactions}
            inputMode="numeric"
          />
        </div>
        <Switch isSelected={draft.public} onChange={set('public')}>
          Open to the public: anybody may begin a conversation with it
        </Switch>
      </section>
      <section className="panel stack" aria-label="What it says">
        <TextArea
          label="Greeting"
          hint="Empty for the standard one. That an AI answers is always said after it."
          rows={2}
          value={draft.greeting}
          onChange={set('greeting')}
          error={errors.greeting}
        />
        <TextArea
          label="Prompt"
          hint={`It may name ${agent.variables.map((name) => `{{${name}}}`).join(', ')}.`}
          rows={14}
          code
          value={draft.system_prompt}
          onChange={set('system_prompt')}
          error={errors.system_prompt}
        />
      </section>
      <Models draft={draft} errors={errors} voice={agent.agent_type === 'voice'} set={set} />
      <ToolFields
        tools={draft.tools}
        may={agent.may}
        saved={agent.tools}
        errors={errors}
        onChange={set('tools')}
      />
      <section className="panel stack" aria-label="Save">
        <TextInput label="Why (for the history)" value={note} onChange={setNote} maxLength={500} />
        {known && (
          <p className="field-error" role="alert">
            Not saved:{' '}
            {Object.keys(errors).length === 1 ? 'one field has' : `${Object.keys(errors).length} fields have`}{' '}
            to be mended.{' '}
            {Object.entries(errors)
              .map(([field, words]) => `${field}: ${words}`)
              .join(' ')}
          </p>
        )}
        {!known && !conflict && <ProblemNotice problem={problem} />}
        <div className="row-between">
          <span className="quiet">
            Version {agent.version}. Running conversations keep what they began with.
          </span>
          <Button type="submit" look="primary" isPending={busy}>
            Save
          </Button>
        </div>
      </section>
      {conflict && (
        <ConflictDialog
          conflict={conflict}
          onClose={() => setProblem(null)}
          onTheirs={() => void reload()}
          onMine={() => void save(conflict.version)}
        />
      )}
    </form>
  );
}

function Models({
  draft,
  errors,
  voice,
  set,
}: {
  readonly draft: Draft;
  readonly errors: FieldErrors;
  readonly voice: boolean;
  readonly set: <F extends keyof Draft>(field: F) => (value: Draft[F]) => void;
}) {
  const settings = (name: string): string | undefined => errors[name];
  return (
    <section className="panel" aria-label="Models and voice">
      <div className="form-grid">
        <TextInput
          label="Language model"
          value={draft.model}
          onChange={set('model')}
          error={settings('model_settings.llm_model') ?? settings('model_settings')}
        />
        <TextInput
          label="Temperature"
          hint="0 to 2; empty for the model’s own"
          value={draft.temperature}
          onChange={set('temperature')}
          error={settings('model_settings.temperature')}
          inputMode="decimal"
        />
        {voice && (
          <>
            <TextInput
              label="Voice"
              value={draft.voice}
              onChange={set('voice')}
              error={settings('voice_settings.voice') ?? settings('voice_settings')}
            />
            <TextInput
              label="Speed"
              hint="0.25 to 4; 1 is normal"
              value={draft.speed}
              onChange={set('speed')}
              error={settings('voice_settings.speed')}
              inputMode="decimal"
            />
            <TextInput
              label="Speech model"
              value={draft.tts_model}
              onChange={set('tts_model')}
              error={settings('voice_settings.tts_model')}
            />
            <TextInput
              label="Recognition model"
              value={draft.stt_model}
              onChange={set('stt_model')}
              error={settings('voice_settings.stt_model')}
            />
          </>
        )}
      </div>
    </section>
  );
}
