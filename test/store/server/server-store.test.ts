/**
 * Goal: a server over HTTP is a Store, and its failures are told apart: what may work later, what never will.
 * Method: the conformance suite over ClickHouse's HTTP interface in front of the real engine, then failures on the wire.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '#model/errors.ts';
import { migrate } from '#store/migrate.ts';
import { openServerStore, type ServerStoreOptions } from '#store/server/server-store.ts';
import type { NativeBlock, Store } from '#store/store.ts';
import { type ClickhouseHttp, startClickhouseHttp } from '#test/support/clickhouse-http.ts';
import { describeStore } from '../conformance.case.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-server-'));
const credentials = { username: 'sonde', password: "pa'ss\\word" };
let http: ClickhouseHttp | undefined;
let store: Store | undefined;

async function open(options: Partial<ServerStoreOptions> = {}): Promise<Store> {
  http ??= await startClickhouseHttp(join(directory, 'data'), credentials);
  return openServerStore({ url: http.url, ...credentials, ...options });
}

async function close(): Promise<void> {
  await store?.close();
  await http?.close();
  http = undefined;
}

afterAll(() => rmSync(directory, { recursive: true, force: true }));

describeStore('server', {
  open: async () => {
    store = await open();
    return store;
  },
  reopen: async () => {
    await close();
    store = await open();
    return store;
  },
  close,
});

/** Ten samples of one metric, as the engine writes them. */
async function blockOf(from: Store, metric: string): Promise<NativeBlock> {
  const sql = `SELECT 'a'::LowCardinality(String) AS tenant, '${metric}'::LowCardinality(String) AS metric,
    number AS id, toDateTime64('2026-11-20 00:00:00', 3, 'UTC') AS ts, 0.5 AS v FROM numbers(10)`;
  const pieces: Uint8Array[] = [];
  for await (const piece of from.stream(sql)) pieces.push(piece);
  return { table: 'samples_head', parts: pieces, rowCount: 10 };
}

test('blocks travel compressed, one after the other on one connection', async () => {
  const sending = await open();
  await migrate(sending);
  const block = await blockOf(sending, 'compressed');
  await sending.insert(block, 'first');
  const { connectionCount, bodyEncodings } = http!;
  const sentBefore = bodyEncodings.length;
  for (const token of ['second', 'third', 'fourth']) await sending.insert(block, token);
  expect(bodyEncodings.slice(sentBefore)).toEqual(['zstd', 'zstd', 'zstd']);
  expect(http!.connectionCount).toBe(connectionCount);
  await sending.close();
  await close();
});

describe('a server that fails', () => {
  let failing: Store;
  let block: NativeBlock;

  beforeAll(async () => {
    failing = await open({ compresses: false });
    await migrate(failing);
    block = await blockOf(failing, 'fail');
  });
  afterAll(async () => {
    await failing.close();
    await close();
  });

  const rowCount = async () => {
    const [row] = await failing.rows<{ n: string }>(
      "SELECT count() AS n FROM samples_head WHERE metric = 'fail'",
    );
    return Number(row?.n);
  };

  test.each([
    { code: 252, name: 'TOO_MANY_PARTS', retryable: true },
    { code: 243, name: 'NOT_ENOUGH_SPACE', retryable: true },
    { code: 242, name: 'TABLE_IS_READ_ONLY', retryable: true },
    { code: 27, name: 'CANNOT_PARSE_INPUT_ASSERTION_FAILED', retryable: false },
    { code: 497, name: 'ACCESS_DENIED', retryable: false },
  ])('with $name: retryable is $retryable', async ({ code, name, retryable }) => {
    http?.fail({ kind: 'exception', code, name }, /INSERT/);
    await expect(failing.insert(block, 'exception')).rejects.toMatchObject({
      clickhouseCode: code,
      retryable,
    });
    expect(await rowCount()).toBe(0);
  });

  test('a cut connection is retryable and nothing has landed', async () => {
    http?.fail({ kind: 'drop' }, /INSERT/);
    await expect(failing.insert(block, 'dropped')).rejects.toMatchObject({ retryable: true });
    expect(await rowCount()).toBe(0);
  });

  test('an acknowledgement that was lost is repeated under the same token and lands once', async () => {
    http?.fail({ kind: 'drop-answer' }, /INSERT/);
    await expect(failing.insert(block, 'lost answer')).rejects.toMatchObject({ retryable: true });
    await failing.insert(block, 'lost answer');
    expect(await rowCount()).toBe(10);
  });

  test('a wrong password is refused for good', async () => {
    const opening = open({ password: 'wrong' });
    await expect(opening).rejects.toMatchObject({ clickhouseCode: 516, retryable: false });
  });
});

test('nobody listening is retryable', async () => {
  const opening = openServerStore({ url: 'http://127.0.0.1:1' });
  await expect(opening).rejects.toMatchObject({ code: 'SONDE_STORE', retryable: true });
});

test.each([
  { name: 'a URL of another kind', options: { url: 'tcp://localhost:9000' } },
  { name: 'no URL', options: { url: '' } },
  { name: 'a database name with SQL in it', options: { url: 'http://localhost', database: 'a; DROP' } },
])('$name is refused as configuration', async ({ options }) => {
  await expect(openServerStore(options)).rejects.toThrow(ConfigError);
});
