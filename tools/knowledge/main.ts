#!/usr/bin/env node
import { runToolServer } from '../serving/run.ts';
import { runCommand, USAGE } from './commands.ts';
import { embeddingsFrom } from './embeddings.ts';
import { Library } from './library.ts';
import { createKnowledgeServer, languageFrom } from './server.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);
const say = (line: string) => void process.stderr.write(`${line}\n`);
const fail = () => {
  process.exitCode = 1;
};

runToolServer(
  {
    name: 'knowledge',
    roles: ['knowledge', 'knowledge_writer'],
    port: 8804,
    risk: "Anyone who reaches this server could read the business's documents",
    usage: USAGE,
    create: (rpc, businessId, env) =>
      createKnowledgeServer(new Library(rpc), businessId, {
        embeddings: embeddingsFrom(env),
        language: languageFrom(env),
        report: say,
      }),
    command: (args, open, env) => runCommand(args, open, env, { print, say, fail }, process.cwd()),
  },
  process.argv.slice(2),
  process.env,
);
