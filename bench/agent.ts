/**
 * `npm run bench:agent`: what the agent costs. A real `sonde agent` tails files and ships them to a sink (agent-sink.ts) that
 * shares the machine; its CPU seconds and its memory are the kernel's figures for its process.
 *
 *   npm run bench:agent -- [--cases cri,docker,idle,many,burst,scrape] [--megabytes 1000] [--seconds 20] [--directory /tmp]
 *
 * Beside it, in the same run: `cat | wc -l` as the floor, and rsyslog (imfile to TCP) where it is installed.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type LogBlock, type LogFormat, logBlock, writeBlocks } from './agent-files.ts';
import { type AgentSink, startAgentSink } from './agent-sink.ts';
import { type ProcessCost, processCost } from './process-cost.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: 'floor,cri,docker,rsyslog,idle,many,burst,scrape' },
    megabytes: { type: 'string', default: '1000' },
    seconds: { type: 'string', default: '20' },
    directory: { type: 'string', default: tmpdir() },
  },
});
const megabytes = Number(values.megabytes);
const seconds = Number(values.seconds);
const blockBytes = 10_000_000;
const blocks = Math.max(1, Math.round((megabytes * 1e6) / blockBytes));
/** Of the burst: what a fast disk and a loud cluster write. */
const burstBytesPerSecond = 100e6;
const quietFiles = 500;
const manyFiles = 10_000;
const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(values.directory, 'sonde-bench-agent-'));

interface Tailing {
  readonly agent: ChildProcess;
  readonly sink: AgentSink;
}

/** Starts `sonde agent` on what the glob names: without host metrics and targets, so that only logs are measured. */
async function startAgent(
  name: string,
  glob: string,
  environment: Record<string, string> = {},
): Promise<Tailing> {
  const sink = await startAgentSink();
  const config = join(work, `${name}.yml`);
  writeFileSync(
    config,
    [
      `transport: { kind: direct, collector_url: "${sink.url}" }`,
      `store: { path: "${join(work, `${name}-state`)}" }`,
      'receive: { otlp_http_port: 0, otlp_grpc_port: 0 }',
      'telemetry: { is_pushed: false }',
      `agent: { node: bench, host: { is_read: false }, scrape: { files: [] }, logs: { globs: ["${glob}"] } }`,
    ].join('\n'),
  );
  const agent = spawn(process.execPath, ['main.ts', 'agent', '--config', config], {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise<void>((resolve, reject) => {
    let text = '';
    agent.stdout!.on('data', (chunk: Buffer) => {
      text = (text + chunk.toString()).slice(-10_000);
      if (text.includes('ready')) resolve();
    });
    agent.once('exit', (code) => reject(new Error(`sonde agent ended with ${code}:\n${text}`)));
  });
  return { agent, sink };
}

async function end({ agent, sink }: Tailing): Promise<void> {
  agent.kill('SIGKILL');
  await new Promise((resolve) =>
    agent.exitCode === null && agent.signalCode === null ? agent.once('exit', resolve) : resolve(0),
  );
  await sink[Symbol.asyncDispose]();
}

/** The file comes when the agent is up: its start, a second of CPU, is no part of the cost. */
async function tailWhole(format: LogFormat): Promise<void> {
  const block = logBlock(format, blockBytes);
  const path = join(work, `${format}.log`);
  writeBlocks(`${path}.new`, block, blocks);
  const tailing = await startAgent(format, path);
  const before = processCost(tailing.agent.pid!);
  const started = performance.now();
  renameSync(`${path}.new`, path);
  const wanted = block.records * blocks;
  while (tailing.sink.records() < wanted) await delay(20);
  const elapsed = (performance.now() - started) / 1000;
  const cost = processCost(tailing.agent.pid!);
  const cpu = cost.cpuSeconds - before.cpuSeconds;
  const inBytes = block.bytes.length * blocks;
  print(`tail ${format}`, [
    `${rate(inBytes / 1e6 / cpu)} MB per CPU-s`,
    `${rate(inBytes / 1e6 / elapsed)} MB/s`,
    `${rate(wanted / cpu / 1000)} k records per CPU-s`,
    `shipped ${rate(tailing.sink.bytes() / 1e6)} MB in ${tailing.sink.requests()} requests`,
    memory(cost),
    shares(before, cost),
  ]);
  if (tailing.sink.records() !== wanted)
    throw new Error(`${tailing.sink.records()} records came of ${wanted}`);
  await end(tailing);
  rmSync(path);
}

async function idle(): Promise<void> {
  const directory = join(work, 'quiet');
  mkdirSync(directory);
  const block = logBlock('cri', 2000);
  for (let i = 0; i < quietFiles; i++) writeBlocks(join(directory, `${i}.log`), block, 1);
  const tailing = await startAgent('idle', join(directory, '*.log'));
  while (tailing.sink.records() < block.records * quietFiles) await delay(20);
  await delay(5000);
  const before = processCost(tailing.agent.pid!);
  await delay(seconds * 1000);
  const cost = processCost(tailing.agent.pid!);
  const cpu = cost.cpuSeconds - before.cpuSeconds;
  print(`idle, ${quietFiles} quiet files`, [
    `${((100 * cpu) / seconds).toFixed(2)} % of a core`,
    memory(cost),
  ]);
  await end(tailing);
}

/** A crowded node: each container has a directory, as in Kubernetes, and writes a line a second. */
async function many(): Promise<void> {
  const paths: string[] = [];
  for (let i = 0; i < manyFiles; i++) {
    const directory = join(work, 'many', `shop_pod-${i}_${i}`, 'web');
    mkdirSync(directory, { recursive: true });
    paths.push(join(directory, '0.log'));
    writeFileSync(paths.at(-1)!, criLine(0));
  }
  const tailing = await startAgent('many', join(work, 'many/*/*/*.log'));
  while (tailing.sink.records() < manyFiles) await delay(50);
  await delay(15_000);
  const quiet = processCost(tailing.agent.pid!);
  await delay(seconds * 1000);
  const before = processCost(tailing.agent.pid!);
  let written = manyFiles;
  const started = performance.now();
  for (let second = 1; second <= seconds; second++) {
    for (const path of paths) appendFileSync(path, criLine(second));
    written += manyFiles;
    await delay(Math.max(0, started + second * 1000 - performance.now()));
  }
  while (tailing.sink.records() < written) await delay(10);
  const through = (performance.now() - started) / 1000;
  const cost = processCost(tailing.agent.pid!);
  const percent = (cpu: number): string => `${((100 * cpu) / seconds).toFixed(1)} % of a core`;
  print(`${manyFiles} containers`, [
    `quiet ${percent(before.cpuSeconds - quiet.cpuSeconds)}`,
    `with a line a second each ${percent(cost.cpuSeconds - before.cpuSeconds)}`,
    `${seconds} s of lines through in ${through.toFixed(1)} s`,
    memory(cost),
  ]);
  await end(tailing);
}

function criLine(second: number): string {
  const time = new Date(1_767_225_600_000 + second * 1000).toISOString();
  return `${time} stdout F request method=GET path=/api/orders status=200 duration_ms=${second}\n`;
}

/** Lines come at 100 MB/s: how far behind is the agent, and does it keep up? */
async function burst(): Promise<void> {
  const block = logBlock('cri', blockBytes);
  const path = join(work, 'burst.log');
  const file = openSync(path, 'w');
  const tailing = await startAgent('burst', path);
  const before = processCost(tailing.agent.pid!);
  const started = performance.now();
  let written = 0;
  let behindMax = 0;
  // Slices of a tenth of a block, line by line: the agent sees torn ends as it does with real writers.
  const slices = sliceLines(block, 10);
  for (let i = 0; (performance.now() - started) / 1000 < seconds; i++) {
    const slice = slices[i % slices.length]!;
    writeSync(file, slice.bytes);
    written += slice.bytes.length;
    behindMax = Math.max(behindMax, (i + 1) * slice.records - tailing.sink.records());
    const aheadMs = (written / burstBytesPerSecond) * 1000 - (performance.now() - started);
    await delay(Math.max(0, aheadMs));
  }
  const writing = (performance.now() - started) / 1000;
  const records = Math.floor((written / block.bytes.length) * block.records);
  while (tailing.sink.records() < records * 0.9999) await delay(10);
  const after = (performance.now() - started) / 1000 - writing;
  const cost = processCost(tailing.agent.pid!);
  const cpu = cost.cpuSeconds - before.cpuSeconds;
  print(`burst ${rate(written / 1e6 / writing)} MB/s`, [
    `${((100 * cpu) / writing).toFixed(0)} % of a core`,
    `${rate(written / 1e6 / cpu)} MB per CPU-s`,
    `at most ${rate(behindMax / 1000)} k records behind, through ${after.toFixed(2)} s after the last line`,
    memory(cost),
  ]);
  closeSync(file);
  await end(tailing);
  rmSync(path);
}

function sliceLines(block: LogBlock, count: number): { bytes: Buffer; records: number }[] {
  const slices: { bytes: Buffer; records: number }[] = [];
  let from = 0;
  for (let i = 1; i <= count; i++) {
    const wanted = Math.floor((block.bytes.length * i) / count);
    const to = i === count ? block.bytes.length : block.bytes.indexOf(0x0a, wanted) + 1;
    slices.push({ bytes: block.bytes.subarray(from, to), records: Math.floor(block.records / count) });
    from = to;
  }
  return slices;
}

function floor(): void {
  const block = logBlock('cri', blockBytes);
  const path = join(work, 'floor.log');
  writeBlocks(path, block, blocks);
  const script = `cat ${path} | wc -l; cat /proc/self/stat >/dev/null; times`;
  const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  // `times` prints user and system time of the shell, then of its children: 0m0.012s 0m0.034s.
  const [user, system] = stdout.trim().split('\n').at(-1)!.split(' ').map(minutesSeconds);
  const inBytes = block.bytes.length * blocks;
  print('cat | wc -l', [`${rate(inBytes / 1e6 / (user! + system!))} MB per CPU-s`]);
  rmSync(path);
}

function minutesSeconds(text: string): number {
  const [minutes, rest] = text.split('m');
  return Number(minutes) * 60 + Number.parseFloat(rest!);
}

/** rsyslog tails the same file, parses nothing, and forwards lines over TCP: less work than the agent does. */
async function rsyslog(): Promise<void> {
  if (spawnSync('rsyslogd', ['-v']).status !== 0) {
    console.log('SKIPPED: rsyslogd is not on this machine: apt-get install rsyslog');
    return;
  }
  const block = logBlock('cri', blockBytes);
  const path = join(work, 'rsyslog.log');
  writeBlocks(path, block, blocks);
  let received = 0;
  const server = createServer((socket) => socket.on('data', (chunk) => (received += chunk.length)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const state = join(work, 'rsyslog-state');
  mkdirSync(state);
  const config = join(work, 'rsyslog.conf');
  writeFileSync(
    config,
    [
      `global(workDirectory="${state}" maxMessageSize="64k")`,
      'module(load="imfile" mode="inotify")',
      'template(name="raw" type="string" string="%rawmsg%\\n")',
      `input(type="imfile" File="${path}" Tag="bench" ruleset="out")`,
      `ruleset(name="out") { action(type="omfwd" target="127.0.0.1" port="${port}" protocol="tcp" template="raw" queue.type="LinkedList" queue.size="100000") }`,
    ].join('\n'),
  );
  const started = performance.now();
  const daemon = spawn('rsyslogd', ['-n', '-f', config, '-i', join(work, 'rsyslog.pid')], {
    stdio: 'inherit',
  });
  const inBytes = block.bytes.length * blocks;
  while (received < inBytes) {
    if (daemon.exitCode !== null) throw new Error(`rsyslogd ended with ${daemon.exitCode}`);
    await delay(20);
  }
  const elapsed = (performance.now() - started) / 1000;
  const cost = processCost(daemon.pid!);
  print('rsyslog, imfile to TCP', [
    `${rate(inBytes / 1e6 / cost.cpuSeconds)} MB per CPU-s`,
    `${rate(inBytes / 1e6 / elapsed)} MB/s`,
    memory(cost),
  ]);
  daemon.kill('SIGKILL');
  server.close();
  rmSync(path);
}

function memory({
  rssMib,
  rssMaxMib,
  anonymousMib,
}: {
  rssMib: number;
  rssMaxMib: number;
  anonymousMib: number;
}): string {
  return `RSS ${rssMib.toFixed(0)} MiB (at most ${rssMaxMib.toFixed(0)}, ${anonymousMib.toFixed(0)} of its own now)`;
}

/** Where the CPU went: framing and encoding on the main thread, compression in libuv's, garbage collection in V8's. */
function shares(before: ProcessCost, after: ProcessCost): string {
  const total = after.cpuSeconds - before.cpuSeconds;
  return [...after.threadSeconds]
    .map(([name, seconds]): [string, number] => [
      name,
      (seconds - (before.threadSeconds.get(name) ?? 0)) / total,
    ])
    .filter(([, share]) => share > 0.01)
    .sort(([, a], [, b]) => b - a)
    .map(([name, share]) => `${name} ${(100 * share).toFixed(0)} %`)
    .join(', ');
}

/** A target with 100,000 series: agent-scrape.ts has its own process, which garbage can be collected in. */
function scrape(): void {
  const { status } = spawnSync(process.execPath, ['--expose-gc', 'bench/agent-scrape.ts'], {
    cwd: root,
    stdio: 'inherit',
  });
  if (status !== 0) throw new Error(`bench/agent-scrape.ts ended with ${status}`);
}

function rate(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0 });
}

function print(name: string, facts: readonly string[]): void {
  console.log(`${name.padEnd(28)} ${facts.join(', ')}`);
}

const cases: Readonly<Record<string, () => void | Promise<void>>> = {
  floor,
  cri: () => tailWhole('cri'),
  docker: () => tailWhole('docker'),
  rsyslog,
  idle,
  many,
  burst,
  scrape,
};
try {
  for (const name of values.cases.split(',')) {
    const run = cases[name];
    if (run === undefined) throw new Error(`--cases ${name}: there are ${Object.keys(cases).join(', ')}`);
    await run();
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
process.exit(0);
