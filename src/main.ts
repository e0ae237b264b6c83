#!/usr/bin/env node
import { Command, Option } from 'commander';
import type { CommandDeps } from './cli/command-deps.ts';
import { failureText } from './cli/failure.ts';
import { loadProcessConfig } from './config.ts';
import { createLog } from './log.ts';

/** Aborted by the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortSignal {
  const stop = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stop.signal.aborted) process.exit(signal === 'SIGINT' ? 130 : 143);
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return stop.signal;
}

async function worker(): Promise<number> {
  const { runWorker } = await import('./cli/worker.ts');
  const config = loadProcessConfig();
  const log = createLog({ level: config.logLevel, name: 'floorwalker-worker' });
  return await runWorker(config, log, stopSignal());
}

async function api(): Promise<number> {
  const { runApi } = await import('./cli/api.ts');
  const config = loadProcessConfig();
  const stop = stopSignal();
  const running = await runApi(config, createLog({ level: config.logLevel, name: 'floorwalker-api' }));
  await new Promise<void>((resolve) => {
    if (stop.aborted) resolve();
    stop.addEventListener('abort', () => resolve(), { once: true });
  });
  await running.stop();
  return 0;
}

/** A command module is loaded when it is asked for: `floorwalker chat` needs nothing of the worker's. */
async function createProgram(exit: (status: number) => void): Promise<Command> {
  const program = new Command('floorwalker')
    .description('Voice and chat agents on LiveKit, with a human supervisor on the floor.')
    .showHelpAfterError();
  const run = (action: () => Promise<number>) => async (): Promise<void> => exit(await action());

  program.command('worker').description('take interactions from LiveKit').action(run(worker));
  program.command('api').description('serve the HTTP API').action(run(api));
  program
    .command('migrate')
    .description('bring the database at DATABASE_URL up to this version')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[options...]')
    .action(async (args: string[]) => {
      const { runMigrate } = await import('./cli/migrate.ts');
      const { databaseSettings } = await import('./config.ts');
      exit(await runMigrate(args, databaseSettings(), createLog({ level: 'warn' })));
    });
  program
    .command('demo')
    .description('start everything on embedded defaults and play one chat and one call')
    .allowUnknownOption()
    .helpOption(false)
    .argument('[options...]')
    .action(async (args: string[]) => {
      const { runDemo } = await import('./cli/demo.ts');
      exit(await runDemo(args));
    });
  program
    .command('chat')
    .description('be the customer, in this terminal')
    .option('--agent <name>', 'name of the chat agent')
    .option('--api <url>', 'address of the API')
    .option('--key <key>', 'publishable key')
    .option('--data <folder>', "a running demo's data folder", '.floorwalker')
    .action(async (options: Record<string, string>) => {
      const { runChat } = await import('./cli/chat.ts');
      exit(await runChat(options));
    });
  program
    .command('supervise')
    .description('be the supervisor of a running demo, in this terminal')
    .addOption(
      new Option('--as <who>', 'admin, or the supervisor of one channel')
        .choices(['admin', 'voice', 'chat'])
        .default('admin'),
    )
    .option('--data <folder>', "a running demo's data folder", '.floorwalker')
    .action(async (options: { as: 'admin' | 'voice' | 'chat'; data: string }) => {
      const { runSupervise } = await import('./cli/supervise.ts');
      exit(await runSupervise(options, { input: process.stdin, output: process.stdout }, stopSignal()));
    });
  program
    .command('score')
    .description('score support conversations (JSON lines)')
    .argument('<file>', 'file, or - for standard input')
    .option('--scorer <kind>', 'device or model', 'device')
    .action(async (file: string, options: { scorer: string }) => {
      const { runScore } = await import('./cli/score.ts');
      exit(await runScore([file, '--scorer', options.scorer]));
    });

  await registerOperatorCommands(program);
  return program;
}

/** Those with sub-commands register themselves; only the one that was asked for is loaded, or all for the help. */
async function registerOperatorCommands(program: Command): Promise<void> {
  const deps: CommandDeps = { env: process.env, log: createLog({ level: 'warn' }), stdout: process.stdout };
  const commands: Record<string, () => Promise<void>> = {
    agents: async () => (await import('./cli/agents.ts')).registerAgentsCommand(program, deps),
    business: async () => (await import('./cli/business.ts')).registerBusinessCommand(program, deps),
    users: async () => (await import('./cli/users.ts')).registerUsersCommand(program, deps),
    customers: async () => (await import('./cli/customers.ts')).registerCustomersCommand(program, deps),
    tools: async () => (await import('./cli/tools.ts')).registerToolsCommand(program, deps),
    doctor: async () => (await import('./cli/doctor.ts')).registerDoctorCommand(program, deps),
  };
  const asked = process.argv[2] ?? 'help';
  const known = program.commands.some((command) => command.name() === asked);
  const wanted = commands[asked] ? [asked] : known ? [] : Object.keys(commands);
  for (const name of wanted) await commands[name]?.();
}

async function main(): Promise<void> {
  let status = 0;
  try {
    const program = await createProgram((code) => {
      status = code;
    });
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(failureText(error));
    status = 1;
  }
  process.exitCode = status;
}

await main();
