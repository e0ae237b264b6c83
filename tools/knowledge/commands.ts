import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Opened } from '../serving/run.ts';
import type { Environment } from '../serving/settings.ts';
import { embeddingsFrom } from './embeddings.ts';
import { findFiles, type IngestDeps, ingest, sourceOf } from './ingest.ts';
import { Library } from './library.ts';
import { languageFrom } from './server.ts';

export const USAGE: readonly [args: string, what: string][] = [
  ['ingest PATH... [--force]', 'read files and folders into the library'],
  ['reindex [--all]', 'read again what is not ready, or everything'],
  ['list', 'what there is, and how it is'],
  ['remove SOURCE...', 'take documents out'],
];

export interface Terminal {
  /** What was asked for. */
  print(line: string): void;
  /** How it goes on. */
  say(line: string): void;
  fail(): void;
}

/** The commands beside serving; false when it is none of them. */
export async function runCommand(
  args: readonly string[],
  open: () => Promise<Opened>,
  env: Environment,
  terminal: Terminal,
  folder: string,
): Promise<boolean> {
  const [command, ...rest] = args;
  if (command === undefined || !['ingest', 'reindex', 'list', 'remove'].includes(command)) return false;
  const { values, positionals } = parseArgs({
    args: rest,
    allowPositionals: true,
    options: { force: { type: 'boolean', default: false }, all: { type: 'boolean', default: false } },
  });
  const { rpc, businessId } = await open();
  if (businessId === 'argument') {
    throw new Error(
      'KNOWLEDGE_BUSINESS_ID is "argument", which is for serving. Set it to the id of one business.',
    );
  }
  const library = new Library(rpc);
  if (command === 'list') await list(library, businessId, terminal);
  else if (command === 'remove') await remove(library, businessId, positionals, terminal);
  else {
    const deps = await prepare(library, businessId, env, terminal, folder);
    if (command === 'ingest') await ingestPaths(deps, positionals, values.force, terminal);
    else await reindex(deps, values.all, terminal);
  }
  return true;
}

async function prepare(
  library: Library,
  businessId: string,
  env: Environment,
  { say }: Terminal,
  folder: string,
): Promise<IngestDeps> {
  let embeddings = embeddingsFrom(env);
  if (embeddings !== undefined) {
    const { vectors, reason } = await library.enableVectors();
    if (!vectors) {
      say(`Searching by words alone: ${reason ?? 'the database has no vectors'}.`);
      embeddings = undefined;
    }
  }
  return { library, businessId, embeddings, language: languageFrom(env), folder, say };
}

async function ingestPaths(
  deps: IngestDeps,
  paths: string[],
  force: boolean,
  terminal: Terminal,
): Promise<void> {
  if (paths.length === 0) throw new Error('Name files or folders to read.');
  report(
    await ingest(deps, await findFiles(paths.map((path) => resolve(deps.folder, path))), { force }),
    terminal,
  );
}

async function reindex(deps: IngestDeps, all: boolean, terminal: Terminal): Promise<void> {
  const documents = await deps.library.list(deps.businessId, undefined);
  const wanted = documents.filter(({ status }) => all || status !== 'ready');
  const files = wanted.map(({ source }) => resolve(deps.folder, source));
  const missing = files.filter((file) => !existsSync(file));
  for (const file of missing)
    terminal.say(`${sourceOf(file, deps.folder)}: not there any more; what was read before is kept`);
  const there = files.filter((file) => existsSync(file));
  const done = await ingest(deps, there, { force: true });
  report({ ...done, failed: done.failed + missing.length }, terminal);
}

function report(
  { ready, unchanged, failed }: { ready: number; unchanged: number; failed: number },
  terminal: Terminal,
): void {
  terminal.print(`${ready} read, ${unchanged} unchanged, ${failed} failed`);
  if (failed > 0) terminal.fail();
}

async function list(library: Library, businessId: string, { print }: Terminal): Promise<void> {
  for (const { status, chunks, source, title, error } of await library.list(businessId, undefined)) {
    print(
      [status.padEnd(10), `${chunks} chunks`.padStart(12), source, `"${title}"`, error ?? '']
        .join('  ')
        .trimEnd(),
    );
  }
}

async function remove(
  library: Library,
  businessId: string,
  sources: string[],
  terminal: Terminal,
): Promise<void> {
  if (sources.length === 0) throw new Error('Name sources as "list" shows them.');
  for (const source of sources) {
    const removed = await library.remove(businessId, source);
    terminal.print(`${source}: ${removed ? 'removed' : 'there is no such document'}`);
    if (!removed) terminal.fail();
  }
}
