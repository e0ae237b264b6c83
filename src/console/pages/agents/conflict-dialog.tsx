import { Button } from '../../components/button.tsx';
import { Dialog } from '../../components/dialog.tsx';
import type { Conflict } from './refusals.ts';

/** Somebody was faster. Nothing is lost until the person says whose version shall stand. */
export function ConflictDialog({
  conflict,
  onClose,
  onTheirs,
  onMine,
}: {
  readonly conflict: Conflict;
  readonly onClose: () => void;
  readonly onTheirs: () => void;
  readonly onMine: () => void;
}) {
  return (
    <Dialog
      title="The agent was changed meanwhile"
      isOpen
      onClose={onClose}
      actions={
        <>
          <Button onPress={onClose}>Keep editing</Button>
          <Button onPress={onTheirs}>Discard mine, show theirs</Button>
          <Button look="danger" onPress={onMine}>
            Save mine over it
          </Button>
        </>
      }
    >
      <p>
        {conflict.by ?? 'Somebody'} saved version {conflict.version} while you were editing. Your changes are
        still in the form.
      </p>
      {conflict.fields.length > 0 && (
        <p>
          What they changed:{' '}
          {conflict.fields.map((field) => field.replaceAll('_', ' ').replace('tools.', 'tool ')).join(', ')}.
        </p>
      )}
    </Dialog>
  );
}
