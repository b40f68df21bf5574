/** The two servers of `npm run bench:promql`: how each is started on a directory, and loaded once. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { compactClosed } from '#store/compaction/compactor.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { freePort, startTool } from '#test/support/debian-tool.ts';
import { startSonde } from '#test/support/sonde-process.ts';
import { asSnappyLiteral, createData, type PromqlDataShape } from './promql-data.ts';

export interface BenchServer {
  readonly name: string;
  readonly url: string;
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

const agent = new Agent({ keepAlive: true, maxSockets: 16 });
const sondeSettings = {
  SONDE_STORE_RETENTION: '0',
  SONDE_STORE_COMPACTION_ENABLED: 'false',
  SONDE_STORE_MEMORY_BYTES_MAX: String(4 * 1024 ** 3),
  SONDE_QUERY_SAMPLES_MAX: '1000000000',
  SONDE_QUERY_BYTES_MAX: '100000000000',
};

export async function startSondeServer(directory: string): Promise<BenchServer> {
  const ports = ['--port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0'];
  const sonde = await startSonde(['up', '--data', join(directory, 'sonde'), ...ports], sondeSettings);
  return {
    name: 'sonde',
    url: sonde.apiUrl,
    child: sonde.child,
    stop: async () => void (await sonde.end('SIGTERM')),
  };
}

export async function startPrometheusServer(directory: string): Promise<BenchServer> {
  const data = join(directory, 'prometheus');
  mkdirSync(data, { recursive: true });
  const configuration = join(directory, 'prometheus.yml');
  writeFileSync(configuration, 'global: {}\n');
  const port = await freePort();
  const tool = startTool(
    'prometheus',
    [
      `--config.file=${configuration}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      ...['--web.enable-remote-write-receiver', '--storage.tsdb.retention.time=10y', '--log.level=warn'],
      '--query.max-samples=1000000000',
    ],
    directory,
  );
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    if ((await get(`${url}/-/ready`).catch(() => undefined))?.status === 200) break;
    if (tries > 600 || tool.child.exitCode !== null)
      throw new Error(`prometheus does not start:\n${tool.output()}`);
    await delay(500);
  }
  return { name: 'prometheus', url, child: tool.child, stop: async () => tool[Symbol.asyncDispose]() };
}

export interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

export function get(url: string): Promise<Answer> {
  return send(url, 'GET', {}, undefined);
}

function send(
  url: string,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const remoteWriteHeaders = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'x-prometheus-remote-write-version': '0.1.0',
};

async function write(server: BenchServer, body: Uint8Array): Promise<void> {
  const headers = { ...remoteWriteHeaders, 'content-length': String(body.length) };
  for (;;) {
    const answer = await send(`${server.url}/api/v1/write`, 'POST', headers, body).catch((error: unknown) => {
      // A server that has no room answers before it has read all, and closes the connection.
      if (server.child.exitCode !== null) throw error;
      return { status: 503, body: Buffer.from(String(error)) };
    });
    if (answer.status < 300) return;
    if (answer.status !== 503) throw new Error(`${server.name} answered ${answer.status}: ${answer.body}`);
    await delay(50);
  }
}

const sendersMax = 8;

/** Sends the same requests to all servers. */
export async function loadServers(servers: readonly BenchServer[], shape: PromqlDataShape): Promise<void> {
  const startedMs = performance.now();
  let sent = 0;
  for (const group of createData(shape)) {
    const sender = async (): Promise<void> => {
      for (const bytes of group) {
        const body = asSnappyLiteral(bytes);
        await Promise.all(servers.map((server) => write(server, body)));
        if (++sent % 1000 === 0) {
          console.error(`${sent} requests, ${((performance.now() - startedMs) / 1000).toFixed(0)} s`);
        }
      }
    };
    await Promise.all(Array.from({ length: sendersMax }, sender));
  }
}

/** Of a stopped `sonde`: moves all samples into chunks and returns bytes on disk by table. */
export async function compactSonde(directory: string): Promise<ReadonlyMap<string, number>> {
  const store = await openEmbeddedStore({ path: join(directory, 'sonde', 'clickhouse') });
  try {
    const log = {
      info: () => undefined,
      error: (_fields: object, message: string) => console.error(message),
    };
    await compactClosed(store, { latenessMs: 0, nowMs: Date.now(), log }, new AbortController().signal);
    // Merges that are due make the same parts as an installation has that is older.
    for (let tries = 0; tries < 300; tries++) {
      const [row] = await store.rows<{ n: string }>('SELECT count() AS n FROM system.merges');
      if (row?.n === '0') break;
      await delay(1000);
    }
    const rows = await store.rows<{ table: string; bytes: string }>(
      `SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts
       WHERE active AND database = currentDatabase() GROUP BY table`,
    );
    return new Map(rows.map(({ table, bytes }) => [table, Number(bytes)]));
  } finally {
    await store.close();
  }
}

/** Waits until the head has no more than its usual three hours. */
export async function settlePrometheus(server: BenchServer, endMs: number): Promise<void> {
  const headMsMax = 3.2 * 3_600_000;
  for (let tries = 0; tries < 600; tries++) {
    const { body } = await get(`${server.url}/api/v1/status/tsdb`);
    const { data } = JSON.parse(body.toString()) as { data: { headStats: { minTime: number } } };
    if (endMs - data.headStats.minTime <= headMsMax) return;
    await delay(1000);
  }
  throw new Error('prometheus did not compact its head');
}

export function directoryBytes(directory: string): number {
  if (!existsSync(directory)) return 0;
  let bytes = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += statSync(join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}

/** What a loaded directory was loaded with; undefined where it was not. */
export function readLoaded<Loaded>(directory: string): Loaded | undefined {
  const path = join(directory, 'loaded.json');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Loaded) : undefined;
}

export function writeLoaded(directory: string, loaded: object): void {
  writeFileSync(join(directory, 'loaded.json'), JSON.stringify(loaded));
}
