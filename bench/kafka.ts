/**
 * `npm run bench:kafka`: what a log record costs from a file through Kafka into the store, and how long it takes.
 *
 * All are processes of their own on this machine: `sonde agent`, one Apache Kafka, `sonde collector`s, and the embedded
 * engine behind ClickHouse's HTTP interface. First a file is shipped as fast as goes, then one is caught up on that Kafka
 * has already; then lines come at parts of the rate that was found. The delay of a record is that from its being written
 * to the file until a query sees so many rows: by counts, as records are alike. CPU seconds include what is idle, and merges
 * that run meanwhile.
 *
 *   npm run bench:kafka -- [--mb 150] [--seconds 10] [--collectors 1] [--partitions 8] [--rates 0.1,0.5,0.9]
 */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { quietEnvironment, startCollectors, startStoreProcess } from '#test/support/collector-fleet.ts';
import { startKafka } from '#test/support/kafka.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';
import { topicDefaults } from '#wire/bus.ts';
import { createKafka } from '#wire/kafka/client.ts';
import { logBlock } from './agent-files.ts';
import { type ProcessCost, processCost } from './process-cost.ts';

const { values } = parseArgs({
  options: {
    mb: { type: 'string', default: '150' },
    seconds: { type: 'string', default: '10' },
    collectors: { type: 'string', default: '1' },
    partitions: { type: 'string', default: '8' },
    rates: { type: 'string', default: '0.1,0.5,0.9' },
  },
});
const bytesPerMb = 1e6;
const pollMs = 100;
const tickMs = 50;
const work = mkdtempSync(join(tmpdir(), 'sonde-bench-kafka-'));

interface Lines {
  readonly bytes: Buffer;
  readonly records: number;
}

/** Whole lines that are a record each: what belongs to the line before would wait for the next. */
function makeLines(bytes: number): Lines {
  const lines = logBlock('cri', bytes)
    .bytes.toString()
    .split('\n')
    .filter((line) => line !== '' && !line.includes('java.lang') && !line.includes('\tat '));
  return { bytes: Buffer.from(`${lines.join('\n')}\n`), records: lines.length };
}

const kafka = await startKafka({ 'num.io.threads': '2', 'num.network.threads': '2' });
if (kafka === undefined) process.exit(1);
// Whoever is started ends with this process, which a signal would end without a word.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const admin = createKafka({ brokers: kafka.brokers, clientId: 'bench', log: silentKafkaLog }).admin();
const store = await startStoreProcess(join(work, 'store'));
const ending: (() => Promise<unknown>)[] = [];

try {
  await bench(kafka.brokers);
} finally {
  for (const end of ending) await end();
  await admin.disconnect();
  store.child.kill('SIGKILL');
  await kafka.stop();
  rmSync(work, { recursive: true, force: true });
}

async function bench(brokers: readonly string[]): Promise<void> {
  const environment = { SONDE_TRANSPORT_KAFKA_PARTITIONS: values.partitions };
  const startFleet = (): Promise<SondeProcess[]> =>
    startCollectors({
      count: Number(values.collectors),
      brokers,
      storeUrl: store.url,
      groupId: 'bench',
      environment,
    });
  let fleet = await startFleet();
  ending.push(() => Promise.all(fleet.map((each) => each.end('SIGKILL'))));
  const pods = join(work, 'pods/shop_web-1_0b5f/web');
  mkdirSync(pods, { recursive: true });
  const agent = await startSonde(['agent', '--config', 'deploy/config/agent.yml'], {
    ...quietEnvironment,
    ...environment,
    SONDE_TRANSPORT_KAFKA_BROKERS: JSON.stringify(brokers),
    SONDE_STORE_PATH: join(work, 'agent'),
    SONDE_AGENT_LOGS_GLOBS: `[${join(work, 'pods/*/*/*.log')}]`,
    SONDE_AGENT_SCRAPE_FILES: '[]',
  });
  ending.push(() => agent.end('SIGKILL'));
  await admin.connect();
  const file = openSync(join(pods, '0.log'), 'a');
  ending.push(async () => closeSync(file));
  const megabyte = makeLines(bytesPerMb);
  const write = (lines: Lines): void => void writeSync(file, lines.bytes);

  let written = 0;
  const flood = async (mb: number): Promise<void> => {
    for (let count = 0; count < mb; count++) {
      write(megabyte);
      written += megabyte.records;
      await delay(0);
    }
  };
  await flood(20);
  await untilStored(written);

  let costs = takeCosts(agent, fleet);
  let started = performance.now();
  await flood(Number(values.mb));
  await untilStored(written);
  const seconds = (performance.now() - started) / 1000;
  const records = Number(values.mb) * megabyte.records;
  const bytes = Number(values.mb) * megabyte.bytes.length;
  console.log(
    `as fast as goes: ${thousands(records / seconds)} records/s, ${(bytes / seconds / bytesPerMb).toFixed(1)} MB/s of lines (${(bytes / records).toFixed(0)} B each)`,
  );
  printCosts(costs, takeCosts(agent, fleet), records, bytes);

  for (const each of fleet) await each.end('SIGTERM');
  await flood(Number(values.mb));
  await untilShipped();
  fleet = await startFleet();
  const before = await storedRows();
  costs = takeCosts(agent, fleet);
  started = performance.now();
  await untilStored(written);
  const caughtUp = written - before;
  console.log(
    `catching up on what Kafka has: ${thousands((caughtUp / (performance.now() - started)) * 1000)} records/s`,
  );
  printCosts(costs, takeCosts(agent, fleet), caughtUp, (caughtUp * bytes) / records, [
    'collectors',
    'store',
    'Kafka',
  ]);

  for (const part of values.rates.split(',').map(Number)) {
    const perSecond = (records / seconds) * part;
    const tick = makeLines((perSecond * (tickMs / 1000) * bytes) / records);
    costs = takeCosts(agent, fleet);
    const feed = await feedSteadily(tick, write, written);
    written += feed.records;
    console.log(
      `at ${part * 100} %: ${thousands(feed.records / feed.seconds)} records/s, from file to query ${feed.delays}`,
    );
    printCosts(costs, takeCosts(agent, fleet), feed.records, feed.bytes);
  }
}

async function storedRows(): Promise<number> {
  const { n } = await store.row("SELECT count() AS n FROM sonde.logs WHERE tenant != ''");
  return Number(n);
}

async function untilStored(records: number): Promise<void> {
  for (;;) {
    const rows = await storedRows();
    if (rows === records) return;
    if (rows > records) throw new Error(`${rows} rows are stored of ${records} records: some are doubled`);
    await delay(pollMs);
  }
}

/** Resolves when nothing has come to the topic for two seconds. */
async function untilShipped(): Promise<void> {
  let last = '';
  for (;;) {
    const offsets = JSON.stringify(await admin.fetchTopicOffsets(topicDefaults.logs));
    if (offsets === last) return;
    last = offsets;
    await delay(2000);
  }
}

interface Feed {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly delays: string;
}

/** Writes one tick's lines after the other and asks meanwhile how many are stored. */
async function feedSteadily(tick: Lines, write: (lines: Lines) => void, before: number): Promise<Feed> {
  const writtenAtMs: number[] = [];
  const delaysMs: number[] = [];
  const started = performance.now();
  const ticks = (Number(values.seconds) * 1000) / tickMs;
  let isDone = false;
  const watching = (async () => {
    let seen = 0;
    while (!isDone || seen < writtenAtMs.length * tick.records) {
      const stored = (await storedRows()) - before;
      const nowMs = performance.now();
      for (; seen < stored; seen++) delaysMs.push(nowMs - writtenAtMs[Math.floor(seen / tick.records)]!);
      await delay(pollMs);
    }
  })();
  for (let count = 0; count < ticks; count++) {
    await delay(Math.max(0, started + count * tickMs - performance.now()));
    writtenAtMs.push(performance.now());
    write(tick);
  }
  const seconds = (performance.now() - started) / 1000;
  isDone = true;
  await watching;
  delaysMs.sort((a, b) => a - b);
  const delays = [0.5, 0.9, 0.99, 1].map((part) => {
    const ms = delaysMs[Math.min(delaysMs.length - 1, Math.floor(delaysMs.length * part))]!;
    return `${part === 1 ? 'at most' : `p${part * 100}`} ${(ms / 1000).toFixed(1)} s`;
  });
  return {
    records: ticks * tick.records,
    bytes: ticks * tick.bytes.length,
    seconds,
    delays: delays.join(', '),
  };
}

type Costs = ReadonlyMap<string, readonly ProcessCost[]>;

function takeCosts(agent: SondeProcess, fleet: readonly SondeProcess[]): Costs {
  return new Map([
    ['agent', [processCost(agent.child.pid!)]],
    ['Kafka', kafka!.pid === undefined ? [] : [processCost(kafka!.pid)]],
    ['collectors', fleet.map(({ child }) => processCost(child.pid!))],
    ['store', [processCost(store.child.pid!)]],
  ]);
}

function printCosts(
  before: Costs,
  after: Costs,
  records: number,
  bytes: number,
  names: readonly string[] = [...after.keys()],
): void {
  for (const name of names) {
    const costs = after.get(name)!;
    if (costs.length === 0) continue;
    const cpu = (of: Costs): number => of.get(name)!.reduce((total, { cpuSeconds }) => total + cpuSeconds, 0);
    const seconds = cpu(after) - cpu(before);
    const rss = Math.max(...costs.map(({ rssMaxMib }) => rssMaxMib));
    console.log(
      `    ${name.padEnd(10)} ${seconds.toFixed(2).padStart(6)} CPU-s: ${thousands(records / seconds).padStart(8)} records, ` +
        `${(bytes / seconds / bytesPerMb).toFixed(1).padStart(6)} MB per CPU-s; RSS at most ${rss.toFixed(0)} MiB`,
    );
  }
}

function thousands(value: number): string {
  return `${(value / 1000).toFixed(value < 10_000 ? 1 : 0)} k`;
}
