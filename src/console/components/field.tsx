import { ChevronDown } from 'lucide-react';
import type { Key } from 'react';
import { Button } from 'react-aria-components/Button';
import { FieldError } from 'react-aria-components/FieldError';
import { Input } from 'react-aria-components/Input';
import { Label } from 'react-aria-components/Label';
import { ListBox, ListBoxItem } from 'react-aria-components/ListBox';
import { Popover } from 'react-aria-components/Popover';
import { Select as AriaSelect, SelectValue } from 'react-aria-components/Select';
import { Switch as AriaSwitch } from 'react-aria-components/Switch';
import { Text } from 'react-aria-components/Text';
import { TextArea as AriaTextArea } from 'react-aria-components/TextArea';
import { TextField, type TextFieldProps } from 'react-aria-components/TextField';

interface Described {
  readonly label: string;
  /** Read aloud, and not shown: where the place says it already. */
  readonly labelHidden?: boolean;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly placeholder?: string;
}

type FieldProps = Omit<TextFieldProps, 'className' | 'children'> & Described;

function Around({
  label,
  labelHidden,
  hint,
  error,
  children,
}: Described & { readonly children: React.ReactNode }) {
  return (
    <>
      <Label className={labelHidden ? 'only-read-aloud' : 'field-label'}>{label}</Label>
      {children}
      {hint && (
        <Text slot="description" className="field-hint">
          {hint}
        </Text>
      )}
      <FieldError className="field-error">{error}</FieldError>
    </>
  );
}

export function TextInput({ label, labelHidden, hint, error, placeholder, ...rest }: FieldProps) {
  return (
    <TextField {...rest} isInvalid={rest.isInvalid ?? error !== undefined} className="field">
      <Around label={label} labelHidden={labelHidden ?? false} error={error} {...(hint ? { hint } : {})}>
        <Input className="input" placeholder={placeholder} />
      </Around>
    </TextField>
  );
}

export function TextArea({
  label,
  labelHidden,
  hint,
  error,
  placeholder,
  rows = 3,
  code = false,
  ...rest
}: FieldProps & { readonly rows?: number; readonly code?: boolean }) {
  return (
    <TextField {...rest} isInvalid={rest.isInvalid ?? error !== undefined} className="field">
      <Around label={label} labelHidden={labelHidden ?? false} error={error} {...(hint ? { hint } : {})}>
        <AriaTextArea
          className={code ? 'input code' : 'input'}
          rows={rows}
          placeholder={placeholder}
          spellCheck={!code}
        />
      </Around>
    </TextField>
  );
}

export interface Choice {
  readonly id: string;
  readonly label: string;
}

export function Select({
  label,
  labelHidden = false,
  choices,
  value,
  onChange,
  isDisabled = false,
}: {
  readonly label: string;
  readonly labelHidden?: boolean;
  readonly choices: readonly Choice[];
  readonly value: string | null;
  readonly onChange: (id: string) => void;
  readonly isDisabled?: boolean;
}) {
  const choose = (key: Key | null): void => {
    if (key !== null) onChange(String(key));
  };
  return (
    <AriaSelect className="field" value={value} onChange={choose} isDisabled={isDisabled}>
      <Label className={labelHidden ? 'only-read-aloud' : 'field-label'}>{label}</Label>
      <Button className="button select-button">
        <SelectValue />
        <ChevronDown aria-hidden />
      </Button>
      <Popover className="popover">
        <ListBox className="list-box" items={choices}>
          {(choice) => (
            <ListBoxItem className="list-box-item" id={choice.id} textValue={choice.label}>
              {choice.label}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </AriaSelect>
  );
}

export function Switch({
  children,
  isSelected,
  onChange,
  isDisabled = false,
}: {
  readonly children: React.ReactNode;
  readonly isSelected: boolean;
  readonly onChange: (selected: boolean) => void;
  readonly isDisabled?: boolean;
}) {
  return (
    <AriaSwitch className="switch" isSelected={isSelected} onChange={onChange} isDisabled={isDisabled}>
      <span className="switch-track" aria-hidden />
      {children}
    </AriaSwitch>
  );
}
