#!/usr/bin/env node
/**
 * The `sonde` command: reads options, starts one role (or all of them in one process), and stops it in good order.
 *
 *   sonde up --data ./data --logs '/var/log/app/*.log' --scrape http://127.0.0.1:9100/metrics
 */

// Every query that the embedded engine runs holds a thread of this pool, and an agent has no engine: each thread takes
// memory. It must be set before the pool's first use.
process.env.UV_THREADPOOL_SIZE ??= process.argv[2] === 'agent' ? '4' : '32';
// The engine's allocator keeps what is freed for five seconds. Read when its library is loaded.
process.env.JE_MALLOC_CONF ??= 'dirty_decay_ms:1000';

import { readFileSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { Command } from 'commander';
import { pino } from 'pino';
import type { LoadFlags } from '#load/load-plan.ts';
import { loadConfig } from '#model/config/load.ts';
import { renderConfig } from '#model/config/print.ts';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { configTables, type SondeConfig } from './role/config-tables.ts';
import type { LetterContext } from './role/dead-letters-command.ts';
import type { LetterFlags } from './role/letter-flags.ts';
import { type RoleName, roleNames } from './role/role-name.ts';
import { selfTelemetryUrl } from './role/self-telemetry.ts';
import type { RunningRole } from './role/start-role.ts';
import { showStatusLine } from './role/status-line.ts';
import type { CommandContext } from './role/store-command.ts';
import { logDestination } from './role/terminal-log.ts';

const version = (
  JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string }
).version;

interface Flags {
  readonly config?: string;
  readonly data?: string;
  readonly port?: string;
  readonly otlpHttpPort?: string;
  readonly otlpGrpcPort?: string;
  readonly logs?: string[];
  readonly scrape?: string[];
  readonly retention?: string;
  readonly brokers?: string;
  readonly topic?: string;
  readonly printConfig?: boolean;
}

const roleDescriptions: Readonly<Record<RoleName, string>> = {
  up: 'everything in one process, on the embedded store',
  agent: 'tail logs, scrape metrics, take OTLP, and ship them on',
  collector: 'store what agents ship',
  query: 'answer PromQL, LogQL and traces; evaluate rules and scaling signals',
};

const program = new Command('sonde')
  .description('Container logs, metrics and traces in; PromQL, LogQL and TraceQL answers out.')
  .version(version)
  .showHelpAfterError();

for (const role of roleNames) {
  withFlags(program.command(role).description(roleDescriptions[role])).action((flags: Flags) =>
    run(role, flags),
  );
}
withFlags(
  program.command('check').description('read the configuration and say what is wrong with it'),
).action((flags: Flags) => {
  readConfig(flags);
  process.stdout.write('the configuration is valid\n');
});

addLoadCommand(program.command('load'));
addDeadLetterCommands(
  program.command('dead-letters').description('look at messages that could not be decoded, and replay them'),
);
addStoreCommands(program.command('store').description('look after the store: sizes, schema, backups'));

await program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`sonde: ${errorMessage(error)}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
});

function addLoadCommand(load: Command): void {
  load
    // 1 says that records are missing.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .description('write numbered records through the front door, and ask the store for gaps and repeats')
    .option('--seconds <number>', 'how long the load is written')
    .option('--rate <number>', 'records a second of all senders together (1000)')
    .option('--log-files <directory>', 'write container log files below this directory')
    .option('--containers <number>', 'log files (5)')
    .option('--format <list>', 'of the log files: cri, docker, plain, or several with commas (cri)')
    .option('--rotate <mode>', 'of the log files: rename, copytruncate or none (rename)')
    .option('--rotate-bytes <number>', 'size at which a log file is rotated (10485760)')
    .option('--rotate-keep <number>', 'rotated files that stay (4)')
    .option('--line-bytes <number>', 'characters of an ordinary line (200)')
    .option('--single-lines', 'no stack traces')
    .option('--otlp <url>', 'push log records and spans to this base URL')
    .option('--spans-per-trace <number>', 'spans of one trace (100)')
    .option('--remote-write <url>', 'push samples to this base URL')
    .option('--series <number>', 'series of each sender of samples (100)')
    .option('--tenant <name>', 'tenant of all requests (default)')
    .option('--token <text>', 'bearer token of all requests')
    .option('--token-file <file>', 'file that holds the token')
    .option('--run <id>', "the run's name (a random one)")
    .option('--report <file>', 'JSON of what was written; read where nothing is written')
    .option('--verify', 'read the run back: exit code 1 where a record is missing, repeated or altered')
    .option('--url <url>', 'base URL of the query API, for --verify')
    .option('--settle <seconds>', 'how long records may take until they are stored (60)')
    .option('--agent <url>', "an agent's /metrics: what it counts as lost is compared with what is missing")
    .option('--since-seconds <number>', 'age up to which a run without a report is looked for (3600)')
    .option('--page-lines <number>', 'lines that one query asks for (5000)')
    .option('--json', 'for scripts')
    .action(async (flags: LoadFlags) => {
      const stop = new AbortController();
      const onSignal = (): void => {
        if (stop.signal.aborted) process.exit(130);
        process.stderr.write('ending the load; once more to stop at once\n');
        stop.abort();
      };
      // Who only verifies has nothing to end in good order.
      if (flags.seconds !== undefined) {
        process.on('SIGINT', onSignal);
        process.on('SIGTERM', onSignal);
      }
      const { runLoadCommand } = await import('./load/load-command.ts');
      process.exitCode = await runLoadCommand(flags, {
        stop: stop.signal,
        print: (text) => void process.stdout.write(text),
        tell: (text) => void process.stderr.write(text),
      });
    });
}

function addStoreCommands(store: Command): void {
  const add = (usage: string, description: string) =>
    store
      .command(usage)
      .description(description)
      .option('--config <file>', 'YAML configuration file')
      .option('--data <directory>', 'data directory: store.path')
      .option('--port <number>', 'port of the query API of a process that holds the directory: api.port');
  // Imported when one is run: the roles need none of it.
  type Commands = typeof import('./role/store-command.ts');
  const perform = async (
    flags: Flags,
    run: (commands: Commands, context: CommandContext) => Promise<number>,
  ): Promise<void> => {
    const { config } = readConfig(flags);
    process.exitCode = await run(await import('./role/store-command.ts'), {
      config,
      print: (text) => void process.stdout.write(text),
      tell: (text) => void process.stderr.write(text),
    });
  };
  add('status', 'rows, bytes and parts of each table; room and days left')
    .option('--json', 'for scripts')
    .action((flags: Flags & { json?: boolean }) =>
      perform(flags, (commands, context) => commands.storeStatus(context, flags)),
    );
  add('migrate', 'bring the schema up to date')
    .option('--dry-run', 'only list what would be applied')
    .option('--print', 'print the statements of the whole schema instead')
    .option('--cluster <name>', 'for this ClickHouse cluster: store.cluster')
    .action((flags: Flags & { dryRun?: boolean; print?: boolean; cluster?: string }) =>
      perform(flags, (commands, context) => commands.storeMigrate(context, flags)),
    );
  add('verify', 'read every part and check that tables agree; exit code 1 names the faults').action(
    (flags: Flags) => perform(flags, (commands, context) => commands.storeVerify(context)),
  );
  add('backup <destination>', 'write every table to a directory or s3://bucket/prefix')
    .option('--base <backup>', 'write only what this earlier backup lacks')
    .action((destination: string, flags: Flags & { base?: string }) =>
      perform(flags, (commands, context) => commands.storeBackup(context, destination, flags)),
    );
  add('restore <source>', 'read a backup into an empty store').action((source: string, flags: Flags) =>
    perform(flags, (commands, context) => commands.storeRestore(context, source)),
  );
}

function addDeadLetterCommands(letters: Command): void {
  const add = (usage: string, description: string) =>
    letters
      .command(usage)
      .description(description)
      .option('--config <file>', 'YAML configuration file of the collectors')
      .option('--brokers <list>', 'Kafka bootstrap addresses, with commas: transport.kafka.brokers')
      .option('--topic <name>', 'topic of dead letters: transport.kafka.topics.dead_letters');
  const withFilters = (command: Command) =>
    command
      .option('--reason <text>', 'only letters whose reason has this text in it, in any case')
      .option('--tenant <name>', 'only letters of this tenant')
      .option('--source-topic <name>', 'only letters from this topic')
      .option('--since <time>', 'only letters written since then: 2h, or 2026-01-31T12:00:00Z')
      .option('--until <time>', 'only letters written before')
      .option('--range <range>', 'only letters of these offsets: 3/17-40')
      .option('--replayed', 'only letters that were replayed')
      .option('--pending', 'only letters that were not replayed');
  type Commands = typeof import('./role/dead-letters-command.ts');
  type AllFlags = Flags & LetterFlags;
  const perform = async (
    flags: AllFlags,
    run: (commands: Commands, context: LetterContext) => Promise<number>,
  ): Promise<void> => {
    const { config } = readConfig(flags);
    process.exitCode = await run(await import('./role/dead-letters-command.ts'), {
      config,
      print: (text) => void process.stdout.write(text),
      printBytes: (bytes) => void process.stdout.write(bytes),
      tell: (text) => void process.stderr.write(text),
    });
  };
  withFilters(add('list', 'list letters, newest first'))
    .option('--limit <number>', 'letters of a page (50)')
    .option('--before <letter>', 'the next page: letters older than this one')
    .option('--json', 'for scripts: an object a line')
    .action((flags: AllFlags) => perform(flags, (commands, context) => commands.listLetters(context, flags)));
  add('show <letter>', 'show a letter, and its body as far as it can be read')
    .option('--lines <number>', 'fields of the body that are shown (60)')
    .option('--raw', 'write the body as it came, and nothing else')
    .action((letter: string, flags: AllFlags) =>
      perform(flags, (commands, context) => commands.showLetter(context, letter, flags)),
    );
  withFilters(add('replay [letters...]', 'send letters again: to where they came from, or to a receiver'))
    .option('--all', 'all that were not replayed yet')
    .option('--to <url>', 'to the receiver at this base URL instead of the source topic')
    .option('--limit <number>', 'letters at most (1000)')
    .option('--again', 'also letters that were replayed before: what landed does not land twice')
    .option('--replays-max <number>', 'leave out what failed after so many replays (3)')
    .option('--dry-run', 'only say what would be sent')
    .action((addresses: string[], flags: AllFlags) =>
      perform(flags, (commands, context) => commands.replayLetters(context, addresses, flags)),
    );
}

function withFlags(command: Command): Command {
  const collect = (value: string, values: string[] = []): string[] => [...values, value];
  return command
    .option('--config <file>', 'YAML configuration file')
    .option('--data <directory>', 'data directory: store.path')
    .option('--port <number>', 'port of the query API: api.port')
    .option('--otlp-http-port <number>', 'port of OTLP/HTTP and remote write: receive.otlp_http_port')
    .option('--otlp-grpc-port <number>', 'port of OTLP/gRPC: receive.otlp_grpc_port')
    .option('--logs <glob>', 'log files to tail, repeatable: agent.logs.extra_globs', collect)
    .option('--scrape <url>', 'Prometheus target, repeatable: agent.scrape.urls', collect)
    .option(
      '--retention <duration>',
      'age at which data is dropped, such as 30d; 0 keeps for ever: store.retention',
    )
    .option('--print-config', 'print every option, its value and where it came from, and exit');
}

function readConfig(flags: Flags): { config: SondeConfig; text: string } {
  const commandLine = new Map<string, unknown>();
  const set = (key: string, value: unknown): void => {
    if (value !== undefined) commandLine.set(key, value);
  };
  const port = (text: string | undefined): number | string | undefined =>
    text !== undefined && /^\d+$/.test(text) ? Number(text) : text;
  set('store.path', flags.data);
  set('api.port', port(flags.port));
  set('receive.otlp_http_port', port(flags.otlpHttpPort));
  set('receive.otlp_grpc_port', port(flags.otlpGrpcPort));
  set('agent.logs.extra_globs', flags.logs);
  set('agent.scrape.urls', flags.scrape);
  set('store.retention', flags.retention);
  set('transport.kafka.brokers', flags.brokers?.split(','));
  set('transport.kind', flags.brokers === undefined ? undefined : 'kafka');
  set('transport.kafka.topics.dead_letters', flags.topic);
  const loaded = loadConfig(configTables, {
    ...(flags.config === undefined ? {} : { file: readConfigFile(flags.config) }),
    environment: process.env,
    commandLine,
  });
  return { config: loaded.config, text: renderConfig(configTables, loaded) };
}

function readConfigFile(path: string): { path: string; text: string } {
  try {
    return { path, text: readFileSync(path, 'utf8') };
  } catch (error) {
    throw new ConfigError(`cannot read the configuration file ${path}: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

async function run(role: RoleName, flags: Flags): Promise<void> {
  const { config, text } = readConfig(flags);
  if (flags.printConfig === true) {
    process.stdout.write(text);
    return;
  }
  const log = pino(
    { name: `sonde-${role}`, level: config.telemetry.log_level },
    logDestination(process.stderr),
  );
  const node = config.agent.node || hostname();
  // Instruments bind to the SDK when their module loads: the roles are imported after it has started.
  const { startTelemetry } = await import('#model/telemetry.ts');
  const telemetry = await startTelemetry({
    role,
    version,
    node,
    otlpUrl: selfTelemetryUrl(role, config),
    intervalMs: config.telemetry.interval_ms,
    hasSpans: role === 'up' || role === 'query',
  });
  let running: RunningRole | undefined;
  let statusLine: { close(): void } | undefined;
  let isStopping = false;
  const stop = (signal: NodeJS.Signals): void => {
    // Whoever sent what is not stored yet still has it, so that stopping at once loses nothing.
    if (isStopping || running === undefined) process.exit(130);
    isStopping = true;
    statusLine?.close();
    process.stdout.write(`${signal}: draining; once more to stop at once\n`);
    running.stop().then(
      (summary) => {
        process.stdout.write(`${summary}\n`);
        process.exit(0);
      },
      (error: unknown) => {
        process.stderr.write(`sonde: stopping failed: ${errorMessage(error)}\n`);
        process.exit(1);
      },
    );
  };
  // Before the start, which can take long: a container's first process ignores a signal that it has no handler for.
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const { startRole } = await import('./role/start-role.ts');
  running = await startRole(role, { config, version, node, environment: process.env, log, telemetry });
  process.stdout.write(`${running.banner.join('\n')}\n`);
  statusLine = showStatusLine(running.statusLine, process.stdout);
  // NODE_COMPILE_CACHE is else written when a process ends by itself: never, where it is killed.
  flushCompileCache();
}
