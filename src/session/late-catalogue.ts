import type { ToolCatalogue } from '../tools/types.ts';

/**
 * A catalogue that is still being opened: empty until then, so that a conversation begins before a slow tool
 * server has listed its tools. Calls wait for it.
 */
export function lateCatalogue(
  opening: Promise<ToolCatalogue>,
): ToolCatalogue & { readonly ready: Promise<void> } {
  let opened: ToolCatalogue | undefined;
  const listeners: (() => void)[] = [];
  const ready = opening.then(
    (catalogue) => {
      opened = catalogue;
      for (const listener of listeners) {
        catalogue.onChanged(listener);
        listener();
      }
    },
    () => undefined,
  );
  return {
    ready,
    get definitions() {
      return opened?.definitions ?? [];
    },
    definition: (name) => opened?.definition(name),
    prepare: async (name, args, options) => (await opening).prepare(name, args, options),
    call: async (name, args, context) => (await opening).call(name, args, context),
    onChanged(listener) {
      if (opened) opened.onChanged(listener);
      else listeners.push(listener);
    },
    update: async (rows) => (await opening).update(rows),
    close: async () => {
      await ready;
      await opened?.close();
    },
  };
}
