/**
 * `npm run bench:promql`: what PromQL queries cost in `sonde`, and in Debian's `prometheus` with the same data beside it.
 *
 * Both are processes of their own and get the same remote write requests. Each query is asked of one after the other, over HTTP;
 * medians of wall and of the process's CPU time are shown, the resident memory that it took at most, and whether the answers agree.
 * Prometheus 2.42 takes windows as closed on both sides: the queries' times are such that no sample lies on a bound.
 *
 *   npm run bench:promql -- [--series 100000] [--hours 6] [--days 7] [--rounds 5] [--queries rate,topk] [--cache DIRECTORY]
 *
 * With --cache the loaded directories stay and are taken again where the sizes are the same. --series 10000 takes a minute or two.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { hasTool } from '#test/support/debian-tool.ts';
import { processCost } from './process-cost.ts';
import { compareReplies } from './promql-compare.ts';
import { countData, hourMs, type PromqlDataShape } from './promql-data.ts';
import { type BenchQuery, createQueries } from './promql-queries.ts';
import {
  type BenchServer,
  compactSonde,
  directoryBytes,
  get,
  loadServers,
  readLoaded,
  settlePrometheus,
  startPrometheusServer,
  startSondeServer,
  writeLoaded,
} from './promql-servers.ts';

// Before the pool's first thread starts: each statement of the engine takes one.
process.env.UV_THREADPOOL_SIZE ??= '32';

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '100000' },
    hours: { type: 'string', default: '6' },
    days: { type: 'string', default: '7' },
    rounds: { type: 'string', default: '5' },
    queries: { type: 'string', default: '' },
    cache: { type: 'string', default: '' },
  },
});

interface Loaded {
  readonly shape: PromqlDataShape;
  readonly sondeBytes: Readonly<Record<string, number>>;
  readonly prometheusBytes: number;
}

const hasPrometheus = hasTool('prometheus', 'prometheus');
const sizes = { series: Number(values.series), hours: Number(values.hours), days: Number(values.days) };
const name = `promql-${sizes.series}-${sizes.hours}h-${sizes.days}d${hasPrometheus ? '' : '-alone'}`;
const directory =
  values.cache === '' ? mkdtempSync(join(tmpdir(), 'sonde-bench-')) : join(values.cache, name);

async function load(): Promise<Loaded> {
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  // Two hours that are over: all windows can be compacted.
  const endMs = Math.floor(Date.now() / (2 * hourMs)) * 2 * hourMs;
  const shape = { ...sizes, endMs };
  const sonde = await startSondeServer(directory);
  const servers = hasPrometheus ? [sonde, await startPrometheusServer(directory)] : [sonde];
  try {
    await loadServers(servers, shape);
    if (servers.length > 1) await settlePrometheus(servers[1], endMs);
  } finally {
    for (const server of servers) await server.stop();
  }
  const loaded = {
    shape,
    sondeBytes: Object.fromEntries(await compactSonde(directory)),
    prometheusBytes: directoryBytes(join(directory, 'prometheus')),
  };
  writeLoaded(directory, loaded);
  return loaded;
}

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rssMib: number;
  readonly body: Buffer;
}

async function ask(server: BenchServer, { path, params }: BenchQuery): Promise<Cost> {
  const pid = server.child.pid!;
  // Starts VmHWM again: see proc(5).
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const before = processCost(pid).cpuSeconds;
  const startedMs = performance.now();
  const { status, body } = await get(`${server.url}${path}?${new URLSearchParams(params)}`);
  const wallMs = performance.now() - startedMs;
  if (status !== 200) throw new Error(`${server.name} answered ${status}: ${body.toString().slice(0, 500)}`);
  const { cpuSeconds, rssMaxMib } = processCost(pid);
  return { wallMs, cpuMs: (cpuSeconds - before) * 1000, rssMib: rssMaxMib, body };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

/** A query is repeated until it has taken so much CPU, as the kernel counts in hundredths of a second. */
const cpuMsMin = 400;
const repeatsMax = 100;

async function measure(server: BenchServer, query: BenchQuery): Promise<Cost> {
  let first = await ask(server, query);
  // The first one warms caches and compilers.
  const costs: Cost[] = [];
  let cpuMs = 0;
  while (costs.length < Number(values.rounds) || (cpuMs < cpuMsMin && costs.length < repeatsMax)) {
    const cost = await ask(server, query);
    costs.push({ ...cost, body: first.body });
    cpuMs += cost.cpuMs;
    first = cost;
  }
  return {
    wallMs: median(costs.map((cost) => cost.wallMs)),
    // The mean: ticks are too coarse for the median of what takes a few.
    cpuMs: cpuMs / costs.length,
    rssMib: median(costs.map((cost) => cost.rssMib)),
    body: first.body,
  };
}

const text = (ms: number): string => (ms < 10 ? ms.toFixed(1) : ms.toFixed(0));

async function run(servers: readonly BenchServer[], queries: readonly BenchQuery[]): Promise<number> {
  let faults = 0;
  console.log(
    '| query | sonde ms, CPU ms, MiB | prometheus ms, CPU ms, MiB | times faster | times less CPU |',
  );
  console.log('|---|---|---|---|---|');
  for (const query of queries) {
    const costs: Cost[] = [];
    for (const server of servers) costs.push(await measure(server, query));
    const [own, other] = costs;
    const show = ({ wallMs, cpuMs, rssMib }: Cost) => `${text(wallMs)}, ${text(cpuMs)}, ${rssMib.toFixed(0)}`;
    if (other === undefined) {
      console.log(`| ${query.name} | ${show(own)} | | | |`);
      continue;
    }
    const ratios = `${(other.wallMs / own.wallMs).toFixed(1)} | ${(other.cpuMs / own.cpuMs).toFixed(1)}`;
    console.log(`| ${query.name} | ${show(own)} | ${show(other)} | ${ratios} |`);
    const fault = compareReplies(own.body, other.body);
    if (fault === undefined) continue;
    faults++;
    console.log(`  DIFFERENT ANSWERS to ${query.name}: ${fault}`);
  }
  return faults;
}

const loaded = readLoaded<Loaded>(directory) ?? (await load());
const { samples, series } = countData(loaded.shape);
const perSample = (bytes: number): string => (bytes / samples).toFixed(2);
console.log(`${samples.toLocaleString('en')} samples of ${series.toLocaleString('en')} series`);
console.log(
  `bytes a sample on disk: ${Object.entries(loaded.sondeBytes)
    .filter(([, bytes]) => bytes / samples > 0.01)
    .map(([table, bytes]) => `${perSample(bytes)} ${table}`)
    .join(', ')}; prometheus, with its log: ${perSample(loaded.prometheusBytes)}`,
);
const wanted = values.queries.split(',');
const queries = createQueries(loaded.shape).filter((query) =>
  wanted.some((part) => query.name.includes(part)),
);
const servers = [await startSondeServer(directory)];
try {
  if (hasPrometheus) servers.push(await startPrometheusServer(directory));
  process.exitCode = (await run(servers, queries)) === 0 ? 0 : 1;
} finally {
  for (const server of servers) await server.stop();
  if (values.cache === '') rmSync(directory, { recursive: true, force: true });
}
