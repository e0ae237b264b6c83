import { Fragment } from 'react';
import { Button } from '../components/button.tsx';
import { Dialog } from '../components/dialog.tsx';
import { useShortcutList } from './shortcuts.tsx';

export function ShortcutHelp({
  isOpen,
  onClose,
}: {
  readonly isOpen: boolean;
  readonly onClose: () => void;
}) {
  const list = useShortcutList();
  return (
    <Dialog
      title="Shortcuts"
      isOpen={isOpen}
      onClose={onClose}
      actions={
        <Button look="primary" onPress={onClose}>
          Close
        </Button>
      }
    >
      <dl className="shortcuts">
        {list().map(({ keys, label }) => (
          <Fragment key={keys}>
            <dt>
              {keys.split(' ').map((key) => (
                <kbd key={key} className="key">
                  {key}
                </kbd>
              ))}
            </dt>
            <dd>{label}</dd>
          </Fragment>
        ))}
        <dt>
          <kbd className="key">Tab</kbd>
        </dt>
        <dd>From one control to the next; arrow keys inside lists, Escape closes</dd>
      </dl>
      <p className="field-hint">Shortcuts do nothing while you type in a field.</p>
    </Dialog>
  );
}
