/**
 * Goal: a store that refuses, is slow, or dies costs time and nothing else: what was not answered is inserted again
 * under its token, and the collector says why it waits.
 * Method: failures of ClickHouse's own (parts, disk, delays) by settings of the table, others by its HTTP front, and
 * kill -9 of the store's process while records flow. The tables keep no notes, so that tokens alone keep repeats out.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { migrate } from '#store/migrate.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { Failure } from '#test/support/clickhouse-http.ts';
import { eventually } from '#test/support/eventually.ts';
import { describeKafka, freePorts } from '#test/support/kafka.ts';
import { type FaultStore, openFaultStore } from './fault-store.ts';
import { FaultWorld } from './fault-world.ts';

// Brokers, sessions and processes of a busy machine take their time.
vi.setConfig({ testTimeout: 240_000 });

const inserts = /^\s*INSERT INTO \w+\.logs\b/;
const storeTimeoutMs = 1000;

interface Case {
  readonly title: string;
  /** What becomes of the next inserts of log records, one after the other. */
  readonly failures?: readonly Failure[];
  /** Settings of the table until the collector has told of it. */
  readonly settings?: Readonly<Record<string, number>>;
  /** What the collector says; absent where it has no reason to. */
  readonly says?: RegExp;
}

const again = (failure: Failure) => [failure, failure, failure];
const cases: readonly Case[] = [
  {
    title: 'answers 500',
    failures: again({ kind: 'exception', code: 1001, name: 'STD_EXCEPTION' }),
    says: /inserting failed: the store did not take logs: .*asked for by the test/,
  },
  {
    title: 'is hidden by a proxy that answers 502',
    failures: again({ kind: 'status', status: 502, text: '<h1>502 Bad Gateway</h1>' }),
    says: /inserting failed: the store did not take logs: .*502 Bad Gateway/,
  },
  { title: 'inserts and breaks the connection', failures: again({ kind: 'drop-answer' }) },
  {
    title: 'inserts and answers after the deadline',
    failures: [{ kind: 'late-answer', ms: 2 * storeTimeoutMs }],
  },
  {
    title: 'is read-only',
    failures: again({ kind: 'exception', code: 242, name: 'TABLE_IS_READ_ONLY' }),
    says: /inserting failed: .*asked for by the test/,
  },
  {
    title: 'has too many parts',
    settings: { parts_to_throw_insert: 1, parts_to_delay_insert: 1 },
    says: /inserting failed: .*Too many parts/,
  },
  {
    title: 'is out of disk',
    settings: { min_free_disk_bytes_to_perform_insert: 1e18 },
    says: /inserting failed: .*enough free space/,
  },
  {
    title: 'delays each insert',
    settings: { parts_to_delay_insert: 1, min_delay_to_insert_ms: 300, max_delay_to_insert: 1 },
  },
];

describeKafka('a store that', (kafka) => {
  let store: FaultStore;
  let world: FaultWorld;
  beforeAll(async () => {
    store = await openFaultStore();
  });
  afterEach(() => world?.end());
  afterAll(() => store?.close());

  test.each(cases)('$title costs time and nothing else', async ({ failures = [], settings = {}, says }) => {
    const { brokers, isOwned } = kafka();
    world = await FaultWorld.create({
      brokers,
      isOwned,
      storeUrl: store.url,
      store: store.store,
      hasShards: true,
    });
    const collector = await world.collect({ storeTimeoutMs });
    await Promise.all([world.produce(10, 'a'), world.produce(10, 'b')]);
    await world.untilCommitted(() => collector.consumer.status());
    for (const failure of failures) store.http.fail(failure, inserts);
    const names = Object.keys(settings);
    const alter = (what: string) => store.store.exec(`ALTER TABLE default.logs ${what}`);
    if (names.length > 0) {
      await alter(`MODIFY SETTING ${names.map((name) => `${name} = ${settings[name]}`).join(', ')}`);
    }
    try {
      await Promise.all([world.produce(60, 'a'), world.produce(60, 'b')]);
      if (says !== undefined) {
        const isSaid = () =>
          collector.log.some(({ level, message }) => level === 'warn' && says.test(message));
        await eventually(isSaid, () => collector.log);
      } else if (names.length > 0) {
        await eventually(() => collector.consumer.status().counters.messages > 4);
      }
    } finally {
      if (names.length > 0) await alter(`RESET SETTING ${names.join(', ')}`);
    }
    await world.untilCommitted(() => collector.consumer.status());
    await world.expectExact();
    expect(collector.consumer.status().state).toBe('ok');
  });

  test('is killed and started again on its data has each record once', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-faults-store-'));
    const [port] = await freePorts(1);
    let running = await startStore(directory, port!);
    const url = `http://127.0.0.1:${port}`;
    const client = await openServerStore({ url, database: 'default' });
    try {
      await migrate(client);
      const { brokers, isOwned } = kafka();
      world = await FaultWorld.create({ brokers, isOwned, storeUrl: url, store: client, hasShards: true });
      const collector = await world.collect({ storeTimeoutMs });
      for (let round = 1; round <= 3; round++) {
        const before = collector.consumer.status().counters.messages;
        const sent = Promise.all(['a', 'b', 'c'].map((sender) => world.produce(60, sender)));
        await eventually(() => collector.consumer.status().counters.messages > before + round);
        await kill(running);
        await sent;
        running = await startStore(directory, port!);
      }
      await world.untilCommitted(() => collector.consumer.status());
      await world.expectExact();
    } finally {
      await world.end();
      await client.close();
      await kill(running);
      rmSync(directory, { recursive: true, force: true });
    }
  });
});

/** Resolves when it is gone: it holds its directory and its port until then. */
async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  if (child.kill('SIGKILL')) await ended;
}

/** Resolves when it listens. */
async function startStore(directory: string, port: number): Promise<ChildProcess> {
  const child = spawn(
    process.execPath,
    ['test/support/clickhouse-http.ts', '--data', directory, '--port', String(port)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  process.once('exit', () => child.kill('SIGKILL'));
  for await (const chunk of child.stdout) if (/listening on/.test(String(chunk))) return child;
  throw new Error('the store ended');
}
