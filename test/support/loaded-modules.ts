/**
 * Loaded before everything else into the processes of a worker (`NODE_OPTIONS=--import`): writes down what each of them
 * loads, a line each, in a file of its own in the folder that LOADED_MODULES names.
 */
import { appendFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { join } from 'node:path';

const file = join(process.env.LOADED_MODULES ?? '.', String(process.pid));

registerHooks({
  load(url, context, nextLoad) {
    appendFileSync(file, `${url}\n`);
    return nextLoad(url, context);
  },
});
