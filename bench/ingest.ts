/**
 * `npm run bench:ingest`: what ingest costs from a socket to a queryable row, merges included.
 *
 * Requests are made and compressed before, as many as fit in a gigabyte, and posted over HTTP to a process of its own
 * (ingest-target.ts), whose CPU seconds are counted. The same requests then go the object way (object-target.ts).
 * Compaction of samples is not in it: see compaction.ts. Senders share the machine with it: records a second are more where they have another.
 *
 * With several rounds the best counts: what else runs on the machine only ever adds. Many seconds tell whether merges keep
 * up: see how many parts are left.
 *
 *   npm run bench:ingest -- [--signals logs,traces] [--blocks 5000,50000,250000] [--seconds 10] [--rounds 1]
 *                           [--compression zstd] [--columns] [--no-indexes] [--no-baseline]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { receivePaths } from '#wire/bus.ts';
import { type IngestLoad, ingestLoads } from './ingest-loads.ts';
import type { Measured, TargetCommand, TargetMessage } from './measured-process.ts';
import { cheapest, make, renderCost, workloads } from './transcode.ts';

const { values } = parseArgs({
  allowNegative: true,
  options: {
    signals: { type: 'string', default: 'logs,traces,metrics,remote_write' },
    blocks: { type: 'string', default: '5000,50000,250000' },
    seconds: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '1' },
    concurrency: { type: 'string', default: '160' },
    compression: { type: 'string', default: 'zstd' },
    merge: { type: 'string', default: '60' },
    directory: { type: 'string', default: tmpdir() },
    columns: { type: 'boolean', default: false },
    indexes: { type: 'boolean', default: true },
    baseline: { type: 'boolean', default: true },
  },
});
const baseline = 'object-target.ts';
const bytesAheadMax = 1024 ** 3;
/** Of the transcoder alone: a tenth of a second each. */
const transcodeRounds = 10;
const blockSizes = values.blocks.split(',').map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: Number(values.concurrency) });

const compressors: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  zstd: (bytes) => zstdCompressSync(bytes, { params: { 100: 1 } }),
  gzip: (bytes) => gzipSync(bytes, { level: 1 }),
  none: (bytes) => bytes.slice(),
};

interface Body {
  readonly bytes: Uint8Array;
  readonly plainBytes: number;
}

/** Remote write is always snappy. */
function encode(load: IngestLoad, bytes: Uint8Array): Body {
  const compress = load.signal === 'remote_write' ? snappy.compress : compressors[values.compression]!;
  return { bytes: compress(bytes), plainBytes: bytes.length };
}

async function post(url: string, load: IngestLoad, body: Body, batchId: string): Promise<void> {
  const encoding = load.signal === 'remote_write' ? 'snappy' : values.compression;
  const type =
    load.signal === 'remote_write'
      ? 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
      : 'application/x-protobuf';
  for (;;) {
    const posted = request(`${url}${receivePaths[load.signal]}`, {
      method: 'POST',
      agent,
      headers: {
        'content-type': type,
        ...(encoding === 'none' ? {} : { 'content-encoding': encoding }),
        'content-length': body.bytes.length,
        'x-sonde-batch-id': batchId,
      },
    });
    posted.end(body.bytes);
    const [answer] = (await once(posted, 'response')) as [import('node:http').IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk as Buffer);
    if (answer.statusCode === 503) {
      await delay(100);
      continue;
    }
    if (answer.statusCode !== 200 && answer.statusCode !== 204) {
      throw new Error(`${load.signal}: ${answer.statusCode} ${Buffer.concat(chunks)}`);
    }
    return;
  }
}

interface Sent {
  readonly seconds: number;
  readonly requests: number;
  readonly plainBytes: number;
}

/** Posts for `seconds`, from as many senders as there are sockets, and waits until all is answered: all is queryable then. */
async function send(url: string, load: IngestLoad, next: () => Body, seconds: number): Promise<Sent> {
  const started = performance.now();
  let requests = 0;
  let plainBytes = 0;
  const run = Math.random().toString(36).slice(2);
  const sender = async (): Promise<void> => {
    while (performance.now() - started < seconds * 1000) {
      const body = next();
      const number = requests++;
      plainBytes += body.plainBytes;
      await post(url, load, body, `bench-${run}-${number}`);
    }
  };
  await Promise.all(Array.from({ length: Number(values.concurrency) }, sender));
  return { seconds: (performance.now() - started) / 1000, requests, plainBytes };
}

/** Makes bodies that senders need not spend CPU on, which they share with what is measured; more are made as they go. */
function makeAhead(next: () => Body, count: number): () => Body {
  const bodies: Body[] = [];
  for (let bytes = 0; bodies.length < count && bytes < bytesAheadMax; bytes += bodies.at(-1)!.bytes.length) {
    bodies.push(next());
  }
  let taken = 0;
  return () => bodies[taken++] ?? next();
}

async function nextMessage<Kind extends TargetMessage['kind']>(
  target: ChildProcess,
  kind: Kind,
): Promise<Extract<TargetMessage, { kind: Kind }>> {
  for (;;) {
    const [message] = (await once(target, 'message')) as [TargetMessage];
    if (message.kind === kind) return message as Extract<TargetMessage, { kind: Kind }>;
  }
}

/** Records per second, and per CPU-second until they are stored and with the merges and search indexes that follow. */
interface Rates {
  readonly wall: number;
  readonly stored: number;
  readonly indexed: number;
}

async function measure(load: IngestLoad, blockRows: number, program: string): Promise<Rates> {
  const directory = mkdtempSync(join(values.directory, 'sonde-bench-'));
  const target = fork(join(import.meta.dirname, program), [directory, String(blockRows)]);
  try {
    const { url } = await nextMessage(target, 'ready');
    const nextBytes = load.createNext();
    const next = (): Body => encode(load, nextBytes());
    const warmUp = await send(url, load, next, 3);
    const ahead = makeAhead(next, (Number(values.seconds) * 1.5 * warmUp.requests) / warmUp.seconds);
    target.send({ kind: 'start' } satisfies TargetCommand);
    // Before it has said so, what is sent may keep it from starting the count.
    await nextMessage(target, 'started');
    const sent = await send(url, load, ahead, Number(values.seconds));
    const { indexes: buildsIndexes } = values;
    target.send({ kind: 'stop', mergeSeconds: Number(values.merge), buildsIndexes } satisfies TargetCommand);
    const measured = await nextMessage(target, 'measured');
    const name = program === baseline ? `${load.signal} as objects` : load.signal;
    print(name, blockRows, sent, sent.requests * load.recordsPerRequest, measured);
    const records = sent.requests * load.recordsPerRequest;
    return {
      wall: records / sent.seconds,
      stored: records / measured.cpuSeconds,
      indexed: records / measured.indexedCpuSeconds,
    };
  } finally {
    target.kill('SIGKILL');
    await once(target, 'exit');
    rmSync(directory, { recursive: true, force: true });
  }
}

const k = (value: number): string => `${Math.round(value / 1000).toLocaleString('en')} k`;

const shownTables = ['logs', 'spans', 'samples_head'].flatMap((table) => [table, `text_${table}`]);

function print(name: string, blockRows: number, sent: Sent, records: number, measured: Measured): void {
  const indexed = values.indexes ? `, ${k(records / measured.indexedCpuSeconds)} with search indexes` : '';
  console.log(
    `${name.padEnd(24)} blocks ${String(blockRows).padStart(6)}: ${k(records / sent.seconds).padStart(7)}/s, ` +
      `${k(records / measured.cpuSeconds)}/CPU-s (${k(records / measured.mergedCpuSeconds)} with all merges${indexed}), ` +
      `${(sent.plainBytes / sent.seconds / 1e6).toFixed(0)} MB/s, ${(measured.cpuSeconds / sent.seconds).toFixed(2)} cores, ` +
      `loop p99 ${measured.loopDelayMsP99.toFixed(0)} ms max ${measured.loopDelayMsMax.toFixed(0)} ms, ` +
      `RSS ${measured.rssMibMax.toFixed(0)} MiB (engine ${measured.engineMibMax.toFixed(0)}), ${measured.parts} parts, ${k(measured.rowsMerged)} rows merged`,
  );
  const bySize = measured.columns.toSorted((a, b) => b.bytesPerRow - a.bytesPerRow);
  for (const { table, column, bytesPerRow } of bySize) {
    if (!shownTables.includes(table) || (column !== '' && !values.columns) || bytesPerRow < 0.05) continue;
    console.log(`    ${bytesPerRow.toFixed(2).padStart(8)} B a row of ${table} ${column}`);
  }
}

const followUp = values.indexes ? 'with merges and search indexes' : 'with merges';

/** The best of each in all rounds. */
async function measureBest(load: IngestLoad, blockRows: number, program: string): Promise<Rates> {
  const rates: Rates[] = [];
  for (let round = 0; round < Number(values.rounds); round++)
    rates.push(await measure(load, blockRows, program));
  const best = (of: keyof Rates): number => Math.max(...rates.map((rate) => rate[of]));
  const found = { wall: best('wall'), stored: best('stored'), indexed: best('indexed') };
  if (rates.length > 1) {
    console.log(
      `    best of ${rates.length}: ${k(found.wall)}/s, ${k(found.stored)}/CPU-s, ${k(found.indexed)}/CPU-s ${followUp}`,
    );
  }
  return found;
}

for (const signal of values.signals.split(',')) {
  const load = ingestLoads.find((candidate) => candidate.signal === signal);
  const workload = workloads.find((candidate) => candidate.signal === signal);
  if (load === undefined || workload === undefined)
    throw new Error(`--signals ${signal}: there are ${ingestLoads.map((one) => one.signal)}`);
  const made = make(workload);
  console.log(signal);
  console.log(renderCost(made, 'transcode alone', await cheapest(transcodeRounds, made.transcode)));
  let last: Rates | undefined;
  for (const blockRows of blockSizes) last = await measureBest(load, blockRows, 'ingest-target.ts');
  if (!values.baseline) continue;
  const asObjects = await measureBest(load, blockSizes.at(-1)!, baseline);
  const times = (of: keyof Rates): string => (last![of] / asObjects[of]).toFixed(1);
  console.log(
    `${signal}: ${times('stored')} x as many records per CPU-second as objects and JSON, ` +
      `${times('indexed')} x ${followUp}`,
  );
}
agent.destroy();
