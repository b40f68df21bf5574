/**
 * ClickHouse in this process, on a data directory of its own. Main thread only: worker threads that opened sessions
 * crashed the process at exit.
 *
 *   const store = await openEmbeddedStore({ path: '/var/lib/sonde' });
 */

import { CallWatch } from '../call-watch.ts';
import { cancelledError, closedError, timeoutError, toStoreError } from '../clickhouse-error.ts';
import { checkInsert, columnNames, columnStructure } from '../insert-statement.ts';
import { checkQueryText, renderParams } from '../query-text.ts';
import { excludedOnInsert, excludeOnInsert } from '../search-indexes.ts';
import { parseRows, selectText } from '../select-text.ts';
import type { NativeBlock, QueryOptions, Store } from '../store.ts';
import { tenantSettings } from '../tenant-filter.ts';

import { withinMs } from '../within-ms.ts';
import { type EmbeddedStoreOptions, Engine } from './engine.ts';
import type { EngineSession, EngineSettings } from './engine-session.ts';
import type { SessionPool } from './session-pool.ts';

/**
 * Opens the store and takes the lock of its data directory. Throws ConfigError where another process has it, where
 * it cannot be written, or where UV_THREADPOOL_SIZE is too small for the sessions.
 */
export async function openEmbeddedStore(options: EmbeddedStoreOptions): Promise<Store> {
  return new EmbeddedStore(await Engine.open(options));
}

const insertSettings: EngineSettings = {
  // A backfill block over a year has 365 partitions.
  max_partitions_per_insert_block: 0,
  // Fails where a token could not be honoured, instead of inserting twice.
  deduplicate_insert_select: 'force_enable',
  [excludeOnInsert]: excludedOnInsert,
};
/** rows() is for small results: more than this belongs in stream(). */
const rowsBytesMax = 256 * 1024 * 1024;
/** The engine checks its own deadline between blocks; this much later it is killed. */
const deadlineGraceMs = 1000;
/** How long close() waits for calls and open streams before it stops them. */
const closeWaitMs = 30_000;
/** How long close() then waits for the engine to have stopped. */
const closeKillMs = 5000;

interface Call {
  /** For messages: "insert into logs". */
  readonly what: string;
  readonly pool: SessionPool;
  readonly abort: AbortSignal | undefined;
  readonly timeoutMs: number;
}

interface RunningCall {
  readonly session: EngineSession;
  readonly callId: string;
  readonly watch: CallWatch;
}

class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly #engine: Engine;
  readonly #running = new Map<string, Promise<void>>();
  #callCount = 0;
  #closing: Promise<void> | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async exec(sql: string, options: QueryOptions = {}): Promise<void> {
    await this.#query('statement', sql, 'Null', options, {});
  }

  async rows<Row>(sql: string, options: QueryOptions = {}): Promise<Row[]> {
    const text = selectText(sql, 'JSONEachRow', options.tenant);
    const limit = { max_result_bytes: rowsBytesMax };
    return parseRows<Row>(await this.#query('query', text, 'JSONEachRow', options, limit));
  }

  async insert(block: NativeBlock, token: string): Promise<void> {
    checkInsert(block, token);
    if (block.rowCount === 0) return;
    const { spool, inserts, database, insertTimeoutMs } = this.#engine;
    const columns = columnNames(block);
    const sql =
      `INSERT INTO ${database}.${block.table} (${columns}) ` +
      `SELECT ${columns} FROM file({path:String}, 'Native', {structure:String})`;
    const call = {
      what: `insert into ${block.table}`,
      pool: inserts,
      abort: undefined,
      timeoutMs: insertTimeoutMs,
    };
    await this.#call(call, async ({ session, callId, watch }) => {
      const slot = await spool.acquire();
      try {
        await slot.write(block.parts);
        await session.prepare({
          callId,
          settings: {
            ...insertSettings,
            max_execution_time: insertTimeoutMs / 1000,
            insert_deduplication_token: token,
          },
          params: renderParams({ path: slot.path, structure: columnStructure(block) }),
        });
        watch.throwIfStopped();
        await session.run(sql, 'Null');
      } finally {
        spool.release(slot);
      }
    });
  }

  async *stream(sql: string, options: QueryOptions = {}): AsyncGenerator<Uint8Array> {
    const settings = this.#settings(sql, options);
    const text = selectText(sql, 'Native', options.tenant);
    const end = Promise.withResolvers<unknown>();
    const call = this.#callOf('stream', this.#engine.streams, options);
    const { session, callId, watch } = await this.#start(call, end);
    try {
      await session.prepare({ callId, settings, params: renderParams(options.params) });
      watch.throwIfStopped();
      for await (const chunk of session.stream(text)) {
        watch.throwIfStopped();
        if (chunk.numBytes > 0) yield chunk.raw();
      }
      watch.throwIfStopped();
    } catch (error) {
      end.reject(error);
      throw watch.stoppedBy() ?? toStoreError(error, call.what);
    } finally {
      end.resolve(undefined);
    }
  }

  async ping(): Promise<void> {
    await this.rows('SELECT 1');
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await withinMs(Promise.all(this.#running.values()), closeWaitMs);
    const killed = [...this.#running].map(([callId, ended]) => this.#kill(callId, ended));
    await withinMs(Promise.all(killed), closeKillMs);
    await this.#engine.close();
  }

  async #query(
    what: string,
    text: string,
    format: string,
    options: QueryOptions,
    extra: EngineSettings,
  ): Promise<Uint8Array> {
    const settings = { ...extra, ...this.#settings(text, options) };
    const call = this.#callOf(what, this.#engine.queries, options);
    return this.#call(call, async ({ session, callId, watch }) => {
      await session.prepare({ callId, settings, params: renderParams(options.params) });
      watch.throwIfStopped();
      return session.run(text, format);
    });
  }

  /** Runs `body` with a session of its own. Settles at once on abort and deadline; the session comes back later. */
  async #call<T>(call: Call, body: (running: RunningCall) => Promise<T>): Promise<T> {
    const end = Promise.withResolvers<unknown>();
    const running = await this.#start(call, end);
    const work = body(running);
    void work.then(end.resolve, end.reject);
    try {
      return await Promise.race([work, running.watch.stopped]);
    } catch (error) {
      throw running.watch.stoppedBy() ?? toStoreError(error, call.what);
    }
  }

  /** Takes a session for a call until `end`, which the caller must settle when the engine is done with it. */
  async #start(call: Call, end: PromiseWithResolvers<unknown>): Promise<RunningCall> {
    const { what, pool, abort, timeoutMs } = call;
    if (this.#closing !== undefined) throw closedError();
    if (abort?.aborted) throw cancelledError(what, abort.reason);
    const callId = `sonde/${process.pid}/${++this.#callCount}`;
    const lent = Promise.withResolvers<void>();
    this.#running.set(callId, lent.promise);
    // Sessions whose calls do not obey a kill are not given back: whoever waits for one is told, too.
    const deadline = AbortSignal.timeout(timeoutMs);
    try {
      const session = await pool.acquire(abort === undefined ? deadline : AbortSignal.any([abort, deadline]));
      const kill = () => void this.#kill(callId, lent.promise);
      const watch = new CallWatch({ what, abort, timeoutMs, graceMs: deadlineGraceMs, kill });
      void giveBack(pool, session, end.promise).then(() => {
        watch.end();
        this.#running.delete(callId);
        lent.resolve();
      });
      return { session, callId, watch };
    } catch (error) {
      this.#running.delete(callId);
      lent.resolve();
      if (abort?.aborted) throw cancelledError(what, abort.reason);
      throw error === deadline.reason ? timeoutError(what, timeoutMs) : toStoreError(error, what);
    }
  }

  /** The caller has its answer already: that the engine does not obey is for the operator to know. */
  #kill(callId: string, ended: Promise<void>): Promise<void> {
    return this.#engine.killer.kill(callId, ended).catch((error: unknown) => {
      process.emitWarning(`${callId} could not be cancelled: ${toStoreError(error, 'KILL QUERY').message}`);
    });
  }

  #callOf(what: string, pool: SessionPool, options: QueryOptions): Call {
    return { what, pool, abort: options.abort, timeoutMs: this.#timeoutMs(options) };
  }

  #timeoutMs(options: QueryOptions): number {
    // 0 would mean "no limit" to the engine.
    return Math.max(
      1,
      Math.min(options.timeoutMs ?? this.#engine.timeoutMsDefault, this.#engine.timeoutMsMax),
    );
  }

  #settings(sql: string, options: QueryOptions): EngineSettings {
    checkQueryText(sql, options);
    const tenant =
      options.tenant === undefined ? {} : tenantSettings(sql, this.#engine.database, options.tenant);
    return { ...options.settings, ...tenant, max_execution_time: this.#timeoutMs(options) / 1000 };
  }
}

/** Returns a session to its pool when its call has ended; one that failed is cleaned first, or let go. */
async function giveBack(pool: SessionPool, session: EngineSession, end: Promise<unknown>): Promise<void> {
  try {
    await end.catch(() => session.reset());
    pool.release(session);
  } catch (error) {
    process.emitWarning(`a ${pool.name} session was closed: ${toStoreError(error, 'its reset').message}`);
    pool.discard(session);
  }
}
