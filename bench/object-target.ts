/**
 * The baseline: the same requests into the same tables as one would write it first. protobufjs makes objects of them,
 * the objects become rows, and @clickhouse/client sends the rows as JSONEachRow. It gathers rows to as large blocks.
 */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { createClient } from '@clickhouse/client';
import { createChdbConnection } from 'chdb/connection';
import snappy from 'snappyjs';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { excludedOnInsert, excludeOnInsert } from '#store/search-indexes.ts';
import { naiveLogRows, naiveSpanRows } from '#test/support/naive/naive-logs.ts';
import { naiveMetrics } from '#test/support/naive/naive-metrics.ts';
import { naiveRemoteWrite2 } from '#test/support/naive/naive-remote-write.ts';
import type { NaiveSamples } from '#test/support/naive/naive-samples.ts';
import { receivePaths } from '#wire/bus.ts';
import { measureWhenTold } from './measured-process.ts';

process.env.UV_THREADPOOL_SIZE = '32';

type Row = Record<string, unknown>;
type Rows = Readonly<Record<string, readonly Row[]>>;

const [directory = '', blockRowsText = '250000'] = process.argv.slice(2);
const blockRows = Number(blockRowsText);
const store = await openEmbeddedStore({ path: directory, diskFreeBytesMin: 0 });
await migrate(store);
for (const table of ['logs', 'spans', 'trace_index', 'samples_head', 'series']) await makeTextTable(table);
type Options = NonNullable<Parameters<typeof createClient>[0]>;
// The types of two versions of one interface, which differ in `undefined` alone.
const connection = createChdbConnection({ path: directory }) as unknown as NonNullable<Options['connection']>;
const client = createClient({ connection });

/** A table as ours, but with ids as text: JSON has no bytes. */
async function makeTextTable(table: string): Promise<void> {
  const [row] = await store.rows<{ sql: string }>(
    'SELECT create_table_query AS sql FROM system.tables WHERE database = currentDatabase() AND name = {table:String}',
    { params: { table } },
  );
  const sql = row!.sql
    .replace(`sonde.${table} `, `sonde.text_${table} `)
    .replaceAll(/FixedString\(\d+\)/g, 'String');
  await store.exec(sql);
}

const mapColumns = ['labels', 'attrs'];
const mapArrayColumns = ['event_attrs', 'link_attrs'];
type Pairs = [string, string][];

/** The client writes a map as an object. */
function withMaps(row: Row): Row {
  const maps = mapColumns.flatMap((name) =>
    row[name] === undefined ? [] : [[name, Object.fromEntries(row[name] as Pairs)]],
  );
  const arrays = mapArrayColumns.flatMap((name) =>
    row[name] === undefined ? [] : [[name, (row[name] as Pairs[]).map((pairs) => Object.fromEntries(pairs))]],
  );
  return { ...row, ...Object.fromEntries([...maps, ...arrays]) };
}

const bits = new DataView(new ArrayBuffer(8));
function withValue(row: Row): Row {
  bits.setBigUint64(0, BigInt(row.v as string));
  return { ...row, v: bits.getFloat64(0) };
}

function sampleRows({ samples, seriesRows }: NaiveSamples): Rows {
  return { text_samples_head: samples.map(withValue), text_series: seriesRows.map(withMaps) };
}

const task = { tenant: 'default', nowUnixMs: Date.now(), oldestUnixMs: Number.NEGATIVE_INFINITY };
const rowsOf: Readonly<Record<string, (bytes: Uint8Array) => Rows>> = {
  [receivePaths.logs]: (bytes) => ({ text_logs: naiveLogRows(bytes, task).map(withMaps) }),
  [receivePaths.traces]: (bytes) => {
    const { spans, traceIndex } = naiveSpanRows(bytes, task);
    return { text_spans: spans.map(withMaps), text_trace_index: traceIndex };
  },
  [receivePaths.metrics]: (bytes) => sampleRows(naiveMetrics(bytes, task)),
  [receivePaths.remote_write]: (bytes) => sampleRows(naiveRemoteWrite2(bytes, task)),
};
const decompress: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array>> = {
  zstd: zstdDecompressSync,
  gzip: gunzipSync,
  snappy: (bytes) => snappy.uncompress(bytes),
};

interface Gathered {
  readonly rows: Row[];
  readonly inserted: Promise<void>;
  close(): void;
}

const gathered = new Map<string, Gathered>();

/** Adds rows to what is gathered for a table; resolves when they are inserted, after a second at the latest. */
function insert(table: string, rows: readonly Row[]): Promise<void> {
  let group = gathered.get(table);
  if (group === undefined) {
    group = gather(table);
    gathered.set(table, group);
  }
  for (const row of rows) group.rows.push(row);
  if (group.rows.length >= blockRows) group.close();
  return group.inserted;
}

function gather(table: string): Gathered {
  const { promise: closed, resolve: close } = Promise.withResolvers<void>();
  const rows: Row[] = [];
  const inserted = Promise.race([closed, delay(1000)]).then(async () => {
    if (gathered.get(table)?.rows === rows) gathered.delete(table);
    await client.insert({
      table: `sonde.${table}`,
      values: rows,
      format: 'JSONEachRow',
      // As our own inserts do: what is compared is the way to the table, not its indexes.
      clickhouse_settings: { [excludeOnInsert]: excludedOnInsert },
    });
  });
  const closeNow = (): void => {
    gathered.delete(table);
    close();
  };
  return { rows, inserted, close: closeNow };
}

const server = createServer(async (request, response) => {
  try {
    const body = await buffer(request);
    const bytes = decompress[request.headers['content-encoding'] ?? '']?.(body) ?? body;
    const tables = rowsOf[request.url!]!(bytes);
    await Promise.all(Object.entries(tables).map(([table, rows]) => insert(table, rows)));
    response.end();
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});
// It is busy for longer than five seconds at times, and would then close connections that have a request on its way.
server.keepAliveTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  measureWhenTold(store, `http://127.0.0.1:${(server.address() as { port: number }).port}`, 'text_');
});
