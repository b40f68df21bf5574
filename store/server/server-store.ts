/**
 * ClickHouse on a server, over HTTP. Same SQL and same answers as the embedded engine.
 *
 *   const store = await openServerStore({ url: 'http://clickhouse:8123', username: 'sonde', password });
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { type ClickHouseClient, ClickHouseLogLevel, createClient } from '@clickhouse/client';
import { ConfigError } from '#model/errors.ts';
import { CallWatch } from '../call-watch.ts';
import { cancelledError, closedError, toStoreError } from '../clickhouse-error.ts';
import { onCluster } from '../cluster/topology.ts';
import { checkInsert, columnNames } from '../insert-statement.ts';
import { checkQueryText, renderParams } from '../query-text.ts';
import { excludedOnInsert, excludeOnInsert } from '../search-indexes.ts';
import { parseRows, type SelectFormat, selectText } from '../select-text.ts';
import { type NativeBlock, type QueryOptions, type Store, StoreError } from '../store.ts';
import { databaseDefault } from '../tables.ts';
import { tenantSettings } from '../tenant-filter.ts';
import { withinMs } from '../within-ms.ts';
import { wholeBlocks } from './whole-blocks.ts';

export interface ServerStoreOptions {
  /** http:// or https://, without credentials. */
  readonly url: string;
  readonly username?: string;
  readonly password?: string;
  /** Made where it is missing. Default "sonde". */
  readonly database?: string;
  /** Requests at a time; the others wait for a socket. Default 16. */
  readonly connectionCountMax?: number;
  /** For queries that name no timeout. Default 60 s. */
  readonly timeoutMsDefault?: number;
  /** No query may ask for more. Default 10 min. */
  readonly timeoutMsMax?: number;
  /** Default 2 min. */
  readonly requestTimeoutMs?: number;
  /** Inserts fail (retryable) when the server's disk has less. Absent: as the server says. */
  readonly diskFreeBytesMin?: number;
  /** The tables are those of a cluster: see store/cluster/. '' and absent are one server. */
  readonly cluster?: string;
  /** zstd in both directions; switch it off on a fast network. Default true. */
  readonly compresses?: boolean;
}

type Settings = Readonly<Record<string, string | number>>;

/** A URL holds the values of placeholders; ClickHouse refuses longer ones (http_max_uri_size is 1 MiB). */
const paramsBytesMax = 900_000;
const rowsBytesMax = 256 * 1024 * 1024;
/** The server checks its own deadline between blocks, and the answer has to travel. */
const deadlineGraceMs = 2000;
const closeWaitMs = 30_000;

/** What every statement starts from: see the embedded engine's. */
const baseSettings: Settings = {
  async_insert: 0,
  output_format_json_quote_64bit_integers: 1,
  output_format_json_quote_denormals: 1,
  session_timezone: 'UTC',
};

/** What Distributed tables need besides. */
const clusterSettings: Settings = {
  // An insert is acknowledged when the shards have it, not when it is queued on the server that took it.
  distributed_foreground_insert: 1,
  // A series and its samples, a trace and its spans are on one shard: subqueries of a shard's query stay there.
  distributed_product_mode: 'local',
};

/**
 * Connects, and makes the database where it is missing. Throws ConfigError on a bad URL or database name, StoreError
 * where the server does not answer (retryable) or refuses us.
 */
export async function openServerStore(options: ServerStoreOptions): Promise<Store> {
  const database = options.database ?? databaseDefault;
  if (!/^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(database)) {
    throw new ConfigError(`the database name ${JSON.stringify(database)} is not a plain identifier`);
  }
  if (!/^https?:$/.test(URL.parse(options.url)?.protocol ?? '')) {
    throw new ConfigError(`the store's URL ${JSON.stringify(options.url)} is not an http:// or https:// URL`);
  }
  const first = clientFor(options, undefined);
  let settings: Settings;
  try {
    await createDatabase(first, database, options.cluster ?? '');
    settings = await insertSettings(first);
  } catch (error) {
    throw toStoreError(error, 'opening the store');
  } finally {
    await first.close();
  }
  return new ServerStore(clientFor(options, database), { options, database, insertSettings: settings });
}

function clientFor(options: ServerStoreOptions, database: string | undefined): ClickHouseClient {
  const compression = { request: { codec: 'zstd', level: 1 }, response: { codec: 'zstd' } } as const;
  return createClient({
    url: options.url,
    username: options.username ?? 'default',
    password: options.password ?? '',
    ...(database === undefined ? {} : { database }),
    application: 'sonde',
    max_open_connections: options.connectionCountMax ?? 16,
    // Deadlines of calls come first: this is for a socket that has gone silent.
    request_timeout: Math.max(timeoutMsMax(options), requestTimeoutMs(options)) + 2 * deadlineGraceMs,
    keep_alive: { enabled: true },
    compression: (options.compresses ?? true) ? compression : {},
    // Every failure is thrown, and whoever catches it logs it.
    log: { level: ClickHouseLogLevel.OFF },
  });
}

async function createDatabase(client: ClickHouseClient, database: string, cluster: string): Promise<void> {
  const result = await client.query({
    query: 'SELECT name FROM system.databases WHERE name = {name:String}',
    query_params: { name: database },
    format: 'JSONEachRow',
  });
  const rows = await result.json();
  if (rows.length > 0) return;
  await client.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}${onCluster(cluster)}` });
}

/** An older server has no way to leave indexes out, and refuses a setting that it does not know. */
async function insertSettings(client: ClickHouseClient): Promise<Settings> {
  const result = await client.query({
    query: 'SELECT name FROM system.settings WHERE name = {name:String}',
    query_params: { name: excludeOnInsert },
    format: 'JSONEachRow',
  });
  return (await result.json()).length > 0 ? { [excludeOnInsert]: excludedOnInsert } : {};
}

function timeoutMsMax(options: ServerStoreOptions): number {
  return options.timeoutMsMax ?? 600_000;
}

function requestTimeoutMs(options: ServerStoreOptions): number {
  return options.requestTimeoutMs ?? 120_000;
}

interface Call {
  /** For messages: "insert into logs". */
  readonly what: string;
  readonly sql: string;
  readonly abort: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly settings: Settings;
  readonly params: Readonly<Record<string, string | readonly (string | number)[] | number | boolean | null>>;
  /** The body of an insert. */
  readonly values?: readonly Uint8Array[];
}

interface Answer {
  readonly body: Readable;
  readonly watch: CallWatch;
}

interface ServerFacts {
  readonly options: ServerStoreOptions;
  readonly database: string;
  readonly insertSettings: Settings;
}

class ServerStore implements Store {
  readonly kind = 'server';
  readonly #client: ClickHouseClient;
  readonly #options: ServerStoreOptions;
  readonly #database: string;
  readonly #insertSettings: Settings;
  readonly #running = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(client: ClickHouseClient, { options, database, insertSettings }: ServerFacts) {
    this.#client = client;
    this.#options = options;
    this.#database = database;
    this.#insertSettings = insertSettings;
  }

  async exec(sql: string, options: QueryOptions = {}): Promise<void> {
    // Without it a statement that fails late would have said "200 OK".
    await this.#collect(this.#callOf('statement', sql, options, { wait_end_of_query: 1 }));
  }

  async rows<Row>(sql: string, options: QueryOptions = {}): Promise<Row[]> {
    const limit = { max_result_bytes: rowsBytesMax, wait_end_of_query: 1 };
    return parseRows<Row>(await this.#collect(this.#readOf('query', sql, 'JSONEachRow', options, limit)));
  }

  async insert(block: NativeBlock, token: string): Promise<void> {
    checkInsert(block, token);
    if (block.rowCount === 0) return;
    const timeoutMs = requestTimeoutMs(this.#options);
    await this.#collect({
      what: `insert into ${block.table}`,
      sql: `INSERT INTO ${this.#database}.${block.table} (${columnNames(block)}) FORMAT Native`,
      abort: undefined,
      timeoutMs,
      settings: {
        // A backfill block over a year has 365 partitions.
        max_partitions_per_insert_block: 0,
        ...this.#insertSettings,
        max_execution_time: timeoutMs / 1000,
        insert_deduplication_token: token,
        wait_end_of_query: 1,
        ...(this.#options.diskFreeBytesMin === undefined
          ? {}
          : { min_free_disk_bytes_to_perform_insert: this.#options.diskFreeBytesMin }),
      },
      params: {},
      values: block.parts,
    });
  }

  async *stream(sql: string, options: QueryOptions = {}): AsyncGenerator<Uint8Array> {
    const call = this.#readOf('stream', sql, 'Native', options, {
      cancel_http_readonly_queries_on_client_close: 1,
    });
    const end = Promise.withResolvers<void>();
    const queryId = randomUUID();
    let isDone = false;
    let watch: CallWatch | undefined;
    try {
      const answer = await this.#send(call, queryId, end.promise);
      watch = answer.watch;
      yield* wholeBlocks(answer.body);
      watch.throwIfStopped();
      isDone = true;
    } catch (error) {
      isDone = true;
      throw watch?.stoppedBy() ?? toStoreError(error, call.what);
    } finally {
      // The server would go on computing for a reader who has left.
      if (!isDone) await this.#kill(queryId);
      end.resolve();
    }
  }

  async ping(): Promise<void> {
    await this.rows('SELECT 1');
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await withinMs(Promise.all(this.#running), closeWaitMs);
      await this.#client.close();
    })();
    return this.#closing;
  }

  /** Sends a call and returns its whole answer. */
  async #collect(call: Call): Promise<Uint8Array> {
    const end = Promise.withResolvers<void>();
    let watch: CallWatch | undefined;
    try {
      const answer = await this.#send(call, randomUUID(), end.promise);
      watch = answer.watch;
      return await collect(answer.body);
    } catch (error) {
      throw watch?.stoppedBy() ?? toStoreError(error, call.what);
    } finally {
      end.resolve();
    }
  }

  /** Resolves with the body of a good answer. Abort and deadline stop it until `end`. */
  async #send(call: Call, queryId: string, end: Promise<void>): Promise<Answer> {
    const { what, abort, timeoutMs } = call;
    if (this.#closing !== undefined) throw closedError();
    if (abort?.aborted) throw cancelledError(what, abort.reason);
    this.#running.add(end);
    const controller = new AbortController();
    const kill = () => {
      controller.abort();
      void this.#kill(queryId);
    };
    const watch = new CallWatch({ what, abort, timeoutMs, graceMs: deadlineGraceMs, kill });
    void end.then(() => {
      watch.end();
      this.#running.delete(end);
    });
    try {
      const { stream } = await this.#client.exec({
        query: call.sql,
        query_params: call.params,
        query_id: queryId,
        abort_signal: controller.signal,
        clickhouse_settings: {
          ...baseSettings,
          ...(this.#options.cluster ? clusterSettings : {}),
          ...call.settings,
        },
        ...(call.values === undefined ? {} : { values: Readable.from(call.values, { objectMode: false }) }),
      });
      // The client forgets the signal once the answer has begun.
      controller.signal.addEventListener('abort', () => stream.destroy(watch.stoppedBy()), { once: true });
      return { body: stream, watch };
    } catch (error) {
      throw watch.stoppedBy() ?? error;
    }
  }

  /** The caller has its answer already: that the server does not obey is for the operator to know. */
  async #kill(queryId: string): Promise<void> {
    const killed = this.#killOnce(queryId);
    this.#running.add(killed);
    try {
      await killed;
    } catch (error) {
      process.emitWarning(`${queryId} could not be cancelled: ${toStoreError(error, 'KILL QUERY').message}`);
    } finally {
      this.#running.delete(killed);
    }
  }

  async #killOnce(queryId: string): Promise<void> {
    await this.#client.command({
      query: 'KILL QUERY WHERE query_id = {id:String} ASYNC',
      query_params: { id: queryId },
    });
  }

  #callOf(what: string, sql: string, options: QueryOptions, extra: Settings): Call {
    checkQueryText(sql, options);
    const longest = timeoutMsMax(this.#options);
    const wanted = options.timeoutMs ?? this.#options.timeoutMsDefault ?? 60_000;
    // 0 would mean "no limit" to the engine.
    const timeoutMs = Math.max(1, Math.min(wanted, longest));
    const tenant =
      options.tenant === undefined
        ? {}
        : tenantSettings(sql, this.#database, options.tenant, this.#options.cluster);
    return {
      what,
      sql,
      abort: options.abort,
      timeoutMs,
      settings: { ...extra, ...options.settings, ...tenant, max_execution_time: timeoutMs / 1000 },
      params: checkedParams(options),
    };
  }

  #readOf(what: string, sql: string, format: SelectFormat, options: QueryOptions, extra: Settings): Call {
    const call = this.#callOf(what, sql, options, extra);
    return { ...call, sql: selectText(sql, format, options.tenant) };
  }
}

/** Placeholders' values travel in the URL. */
function checkedParams(options: QueryOptions): Call['params'] {
  const rendered = renderParams(options.params);
  const byteCount = Object.values(rendered).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  if (byteCount > paramsBytesMax) {
    throw new StoreError(`the query's values have ${byteCount} bytes, more than ${paramsBytesMax}`, {
      retryable: false,
    });
  }
  return options.params ?? {};
}

async function collect(body: Readable): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let byteCount = 0;
  for await (const piece of body as AsyncIterable<Uint8Array>) {
    pieces.push(piece);
    byteCount += piece.length;
    if (byteCount > 2 * rowsBytesMax) {
      throw new StoreError(`the answer has more than ${2 * rowsBytesMax} bytes`, { retryable: false });
    }
  }
  return Buffer.concat(pieces, byteCount);
}
