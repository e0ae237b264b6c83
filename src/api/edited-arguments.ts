import { FloorwalkerError } from '../errors.ts';
import { InputSchemas } from '../tools/input-schema.ts';

/**
 * Checks an approver's edited arguments against the schema the tool was stored with. The worker checks them
 * again, with policy and identity, before anything runs; this answer only comes while the approver is looking.
 */
export class EditedArguments {
  readonly #schemas = new InputSchemas();

  /** @throws FloorwalkerError `arguments_invalid` */
  check(schema: Record<string, unknown>, edited: Record<string, unknown>): void {
    const compiled = this.#schemas.compile(schema);
    // A schema that can't be used stops nobody here: the worker, which has the tool's own, decides.
    const problem = compiled.ok ? compiled.check(edited) : undefined;
    if (problem !== undefined) throw new FloorwalkerError('arguments_invalid', problem.slice(0, 1_000));
  }
}
