/** Blocks for store tests, written by the engine itself, and what tests do with answers. */
import { expect } from 'vitest';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import type { TableName } from '#store/tables.ts';

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Has the engine write the block, so that its bytes are not our own encoder's. */
export async function blockOf(
  store: Store,
  table: TableName,
  select: string,
  rowCount: number,
): Promise<NativeBlock> {
  return { table, parts: [await collect(store.stream(select))], rowCount };
}

export function samplesBlock(
  store: Store,
  tenant: string,
  metric: string,
  rowCount: number,
): Promise<NativeBlock> {
  return blockOf(
    store,
    'samples_head',
    `SELECT '${tenant}'::LowCardinality(String) AS tenant, '${metric}'::LowCardinality(String) AS metric,
      number AS id, toDateTime64('2026-11-20 00:00:00', 3, 'UTC') + number * 60 AS ts, toFloat64(number) AS v
    FROM numbers(${rowCount})`,
    rowCount,
  );
}

export function logsBlock(store: Store, bodies: readonly string[]): Promise<NativeBlock> {
  const list = `[${bodies.map((body) => `unhex('${Buffer.from(body).toString('hex')}')`).join(',')}]`;
  return blockOf(
    store,
    'logs',
    `SELECT 'a'::LowCardinality(String) AS tenant, toDateTime64('2026-11-20 00:00:00', 9, 'UTC') AS ts, ts AS observed_ts,
      's'::LowCardinality(String) AS service, 1::UInt64 AS stream_id, 9::UInt8 AS severity,
      'info'::LowCardinality(String) AS level, ''::LowCardinality(String) AS severity_text,
      toFixedString('', 16) AS trace_id, toFixedString('', 8) AS span_id, 0::UInt8 AS flags,
      ''::LowCardinality(String) AS scope_name, ''::LowCardinality(String) AS scope_version,
      map()::Map(LowCardinality(String), LowCardinality(String)) AS labels,
      map('k', 'v')::Map(LowCardinality(String), String) AS attrs, arrayJoin(${list}) AS body`,
    bodies.length,
  );
}

export async function failure(work: Promise<unknown>): Promise<StoreError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}
