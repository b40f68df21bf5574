/**
 * `npm run bench:ingest`: what ingest costs from a socket to a queryable row, merges included.
 *
 * Requests are made before, compressed as our agent does, and posted over HTTP to a process of its own
 * (ingest-target.ts). The same records also go the object way in the same run: protobufjs, JSONEachRow and
 * @clickhouse/client.
 *
 *   node bench/ingest.ts [--signals logs,traces] [--blocks 5000,50000,250000] [--seconds 10] [--compression zstd]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import snappy from 'snappyjs';
import { receivePaths } from '#wire/bus.ts';
import { type IngestLoad, ingestLoads } from './ingest-loads.ts';
import type { Measured, TargetMessage } from './ingest-target.ts';

const { values } = parseArgs({
  options: {
    signals: { type: 'string', default: 'logs,traces,metrics,remote_write' },
    blocks: { type: 'string', default: '5000,50000,250000' },
    seconds: { type: 'string', default: '10' },
    concurrency: { type: 'string', default: '64' },
    compression: { type: 'string', default: 'zstd' },
    merge: { type: 'string', default: '60' },
    directory: { type: 'string', default: tmpdir() },
    columns: { type: 'boolean', default: false },
  },
});
const agent = new Agent({ keepAlive: true, maxSockets: Number(values.concurrency) });

const compressors: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  zstd: (bytes) => zstdCompressSync(bytes, { params: { 100: 1 } }),
  gzip: (bytes) => gzipSync(bytes, { level: 1 }),
  none: (bytes) => bytes,
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
    if (answer.statusCode === 503) continue;
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

async function nextMessage<Kind extends TargetMessage['kind']>(
  target: ChildProcess,
  kind: Kind,
): Promise<Extract<TargetMessage, { kind: Kind }>> {
  for (;;) {
    const [message] = (await once(target, 'message')) as [TargetMessage];
    if (message.kind === kind) return message as Extract<TargetMessage, { kind: Kind }>;
  }
}

async function measure(load: IngestLoad, blockRows: number): Promise<void> {
  const directory = mkdtempSync(join(values.directory, 'sonde-bench-'));
  const target = fork(join(import.meta.dirname, 'ingest-target.ts'), [directory, String(blockRows)]);
  try {
    const { url } = await nextMessage(target, 'ready');
    const bodies = load.requests().map((bytes) => encode(load, bytes));
    let index = 0;
    const next =
      load.next === undefined ? () => bodies[index++ % bodies.length]! : () => encode(load, load.next!());
    await send(url, load, next, 3);
    target.send({ kind: 'start' });
    const sent = await send(url, load, next, Number(values.seconds));
    target.send({ kind: 'stop', mergeSeconds: Number(values.merge) });
    print(load, blockRows, sent, await nextMessage(target, 'measured'));
  } finally {
    target.kill('SIGKILL');
    await once(target, 'exit');
    rmSync(directory, { recursive: true, force: true });
  }
}

function print(load: IngestLoad, blockRows: number, sent: Sent, measured: Measured): void {
  const records = sent.requests * load.recordsPerRequest;
  const k = (value: number): string => `${Math.round(value / 1000).toLocaleString('en')} k`;
  console.log(
    `${load.signal.padEnd(12)} blocks ${String(blockRows).padStart(6)}: ${k(records / sent.seconds).padStart(7)}/s, ` +
      `${k(records / measured.cpuSeconds)}/CPU-s (${k(records / measured.mergedCpuSeconds)} with all merges), ` +
      `${(sent.plainBytes / sent.seconds / 1e6).toFixed(0)} MB/s, ${(measured.cpuSeconds / sent.seconds).toFixed(2)} cores, ` +
      `loop p99 ${measured.loopDelayMsP99.toFixed(0)} ms max ${measured.loopDelayMsMax.toFixed(0)} ms, ` +
      `RSS ${measured.rssMibMax.toFixed(0)} MiB, ${measured.parts} parts, ${k(measured.rowsMerged)} rows merged`,
  );
  for (const { table, column, bytesPerRow } of [...measured.columns].sort(
    (a, b) => b.bytesPerRow - a.bytesPerRow,
  )) {
    const isShown = column === '(all)' ? ['logs', 'spans', 'samples_head'].includes(table) : values.columns;
    if (isShown && bytesPerRow >= 0.05)
      console.log(`    ${table}.${column}: ${bytesPerRow.toFixed(2)} B a row`);
  }
}

for (const signal of values.signals.split(',')) {
  const load = ingestLoads.find((candidate) => candidate.signal === signal);
  if (load === undefined)
    throw new Error(`--signals ${signal}: there are ${ingestLoads.map((one) => one.signal)}`);
  for (const blockRows of values.blocks.split(',')) await measure(load, Number(blockRows));
}
agent.destroy();
