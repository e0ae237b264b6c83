import { Plus, Trash2 } from 'lucide-react';
import { useRef } from 'react';
import type { Schemas } from '../../client/api.ts';
import { Button } from '../../components/button.tsx';
import { Switch, TextArea, TextInput } from '../../components/field.tsx';
import type { FieldErrors, ToolDraft } from './draft.ts';

type Detail = Schemas['AgentDetail'];

interface ToolProps {
  readonly tool: ToolDraft;
  readonly index: number;
  readonly errors: FieldErrors;
  readonly may: Detail['may'];
  /** As it is saved; undefined for one that was just added. */
  readonly saved: Detail['tools'][number] | undefined;
  readonly onChange: (tool: ToolDraft) => void;
  readonly onRemove: () => void;
}

function Tool({ tool, index, errors, may, saved, onChange, onRemove }: ToolProps) {
  const gated = saved?.requires_permission ?? false;
  const locked = gated && !may.remove_gates;
  const name = tool.tool_name || 'new tool';
  return (
    <li className="tool">
      <div className="row-between">
        {saved ? (
          <code>{tool.tool_name}</code>
        ) : (
          <TextInput
            label="Name"
            value={tool.tool_name}
            onChange={(tool_name) => onChange({ ...tool, tool_name })}
            error={errors[`tools[${index}].tool_name`]}
          />
        )}
        <Button
          look="plain"
          size="small"
          aria-label={`Remove ${name}`}
          isDisabled={locked}
          onPress={onRemove}
        >
          <Trash2 aria-hidden />
          Remove
        </Button>
      </div>
      <Switch
        isSelected={tool.requires_permission}
        isDisabled={locked && tool.requires_permission}
        onChange={(requires_permission) => onChange({ ...tool, requires_permission })}
      >
        Needs permission<span className="only-read-aloud"> ({name})</span>
      </Switch>
      {locked && <span className="quiet">Only an admin may remove this gate.</span>}
      <details>
        <summary>How it is reached</summary>
        <TextArea
          label={`Configuration of ${name}`}
          labelHidden
          code
          rows={7}
          value={tool.config}
          isReadOnly={!may.change_tools}
          onChange={(config) => onChange({ ...tool, config })}
          error={errors[`tools[${index}].tool_config`] ?? errors[`tools[${index}]`]}
        />
      </details>
    </li>
  );
}

/** Which tools it has and which of them wait for a person. Where they lead is for admins to change. */
export function ToolFields({
  tools,
  saved,
  may,
  errors,
  onChange,
}: {
  readonly tools: readonly ToolDraft[];
  readonly saved: Detail['tools'];
  readonly may: Detail['may'];
  readonly errors: FieldErrors;
  readonly onChange: (tools: readonly ToolDraft[]) => void;
}) {
  const added = useRef(0);
  const add = (): void => {
    added.current += 1;
    const config = '{\n  "transport": "http",\n  "endpoint": "https://"\n}';
    onChange([...tools, { key: `added ${added.current}`, tool_name: '', requires_permission: true, config }]);
  };
  return (
    <section className="panel stack" aria-label="Tools">
      <div className="row-between">
        <h2>Tools</h2>
        {may.change_tools && (
          <Button size="small" onPress={add}>
            <Plus aria-hidden />
            Add a tool
          </Button>
        )}
      </div>
      {errors.tools && <p className="field-error">{errors.tools}</p>}
      {tools.length === 0 && <p className="quiet">It has no tools beyond the built-in ones.</p>}
      <ul className="stack">
        {tools.map((tool, index) => (
          <Tool
            key={tool.key}
            tool={tool}
            index={index}
            errors={errors}
            may={may}
            saved={saved.find(({ tool_name }) => tool_name === tool.key)}
            onChange={(next) => onChange(tools.with(index, next))}
            onRemove={() => onChange(tools.toSpliced(index, 1))}
          />
        ))}
      </ul>
    </section>
  );
}
