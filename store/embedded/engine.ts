/**
 * The embedded engine's parts: pools of sessions on one data directory, the session that kills, the spool.
 * Opening takes the directory's lock; a second process is refused with a ConfigError.
 */
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { resolve } from 'node:path';
import { drainPending } from 'chdb';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { DirectoryInUseError } from '../directory-in-use-error.ts';
import { databaseDefault } from '../tables.ts';
import { EngineSession, type EngineSettings, type SessionOptions } from './engine-session.ts';
import { QueryKiller } from './query-killer.ts';
import { SessionPool } from './session-pool.ts';
import { Spool } from './spool.ts';

export interface EmbeddedStoreOptions {
  /** The data directory; made where it is missing. */
  readonly path: string;
  /** For the engine as a whole, this process's own memory included. Default (and 0): half of what the machine or cgroup has. */
  readonly memoryBytesMax?: number;
  /** Statements at a time (exec, rows). Default 4. */
  readonly querySessions?: number;
  /** Open streams at a time. Default 4. */
  readonly streamSessions?: number;
  /** Inserts at a time. Default 2. */
  readonly insertSessions?: number;
  /** For queries that name no timeout. Default 60 s. */
  readonly timeoutMsDefault?: number;
  /** No query may ask for more. Default 10 min. */
  readonly timeoutMsMax?: number;
  /** Default 2 min. */
  readonly insertTimeoutMs?: number;
  /** Inserts fail (retryable) when the disk has less: merges need room too. Default 1 GiB. */
  readonly diskFreeBytesMin?: number;
  /** Directory below which BACKUP writes and RESTORE reads; absent refuses both. */
  readonly backupPath?: string;
  /** Where the spool's own directory is made. Default: /dev/shm where blocks fit, else `path`/spool. */
  readonly spoolDirectory?: string;
}

/** Callers beyond the sessions wait; more than this are refused with a retryable error. */
const waiterCountMax = 1000;
/** Node's own use of its thread pool (files, DNS, zlib) while every session is busy. */
const spareThreads = 1;
const gibibyte = 1024 ** 3;

export class Engine {
  readonly database = databaseDefault;
  readonly queries: SessionPool;
  readonly streams: SessionPool;
  readonly inserts: SessionPool;
  readonly killer: QueryKiller;
  readonly spool: Spool;
  readonly timeoutMsDefault: number;
  readonly timeoutMsMax: number;
  readonly insertTimeoutMs: number;
  readonly #admin: EngineSession;

  private constructor(
    options: EmbeddedStoreOptions,
    session: SessionOptions,
    admin: EngineSession,
    spool: Spool,
  ) {
    this.#admin = admin;
    this.killer = new QueryKiller(admin);
    this.spool = spool;
    this.timeoutMsDefault = options.timeoutMsDefault ?? 60_000;
    this.timeoutMsMax = options.timeoutMsMax ?? 600_000;
    this.insertTimeoutMs = options.insertTimeoutMs ?? 120_000;
    const pool = (name: string, sessionCountMax: number) =>
      new SessionPool({ name, sessionCountMax, waiterCountMax, open: () => EngineSession.open(session) });
    this.queries = pool('query', options.querySessions ?? querySessionsDefault);
    this.streams = pool('stream', options.streamSessions ?? streamSessionsDefault);
    this.inserts = pool('insert', options.insertSessions ?? insertSessionsDefault);
  }

  static async open(options: EmbeddedStoreOptions): Promise<Engine> {
    checkThreads(options);
    const path = resolve(options.path);
    await makeDirectory(path);
    const memoryBytesMax = options.memoryBytesMax || Math.floor(machineMemoryBytes() / 2);
    const session: SessionOptions = {
      path,
      database: databaseDefault,
      engineArguments: [
        `--max_server_memory_usage=${memoryBytesMax}`,
        `--mark_cache_size=${Math.floor(memoryBytesMax / 16)}`,
        ...(options.backupPath ? [`--backups.allowed_path=${resolve(options.backupPath)}`] : []),
      ],
      settings: baseSettings(options, memoryBytesMax),
    };
    const admin = await openFirst(session);
    try {
      return new Engine(options, session, admin, await openSpool(path, options));
    } catch (error) {
      admin.close();
      await drainPending();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.queries.close();
    this.streams.close();
    this.inserts.close();
    this.#admin.close();
    await drainPending();
    await this.spool.close();
  }
}

const querySessionsDefault = 4;
const streamSessionsDefault = 4;
const insertSessionsDefault = 2;

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.R_OK | constants.W_OK);
  } catch (error) {
    throw new ConfigError(`data directory ${path} cannot be written: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

/** What every statement starts from. */
function baseSettings(options: EmbeddedStoreOptions, memoryBytesMax: number): EngineSettings {
  return {
    max_memory_usage: Math.floor(memoryBytesMax / 2),
    min_free_disk_bytes_to_perform_insert: options.diskFreeBytesMin ?? gibibyte,
    async_insert: 0,
    max_insert_threads: 1,
    output_format_json_quote_64bit_integers: 1,
    // NaN and Inf as text: JSON has no number for them, and null would say "no value".
    output_format_json_quote_denormals: 1,
    session_timezone: 'UTC',
  };
}

/** The kernel's memory or the cgroup's, whichever is smaller. */
function machineMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}

/** Each running statement holds a thread of libuv's pool; with all of them taken nothing could be cancelled. */
function checkThreads(options: EmbeddedStoreOptions): void {
  const sessionCount =
    (options.querySessions ?? querySessionsDefault) +
    (options.streamSessions ?? streamSessionsDefault) +
    (options.insertSessions ?? insertSessionsDefault) +
    1;
  const threadCount = Number(process.env.UV_THREADPOOL_SIZE ?? 4);
  if (threadCount < sessionCount + spareThreads) {
    throw new ConfigError(
      `UV_THREADPOOL_SIZE is ${threadCount}, but the embedded store runs up to ${sessionCount} statements at a time: ` +
        `set it to ${sessionCount + spareThreads} or more before the process starts, or use fewer sessions`,
    );
  }
}

async function openFirst(session: SessionOptions): Promise<EngineSession> {
  try {
    return await EngineSession.open(session);
  } catch (error) {
    // The driver gives no code here. The directory can be written, so its lock is what is left to refuse us.
    if (/Failed to create connection|Cannot lock file/.test(errorMessage(error))) {
      throw new DirectoryInUseError(session.path, { cause: error });
    }
    throw new ConfigError(`data directory ${session.path} cannot be opened: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}

async function openSpool(path: string, options: EmbeddedStoreOptions): Promise<Spool> {
  try {
    return await Spool.open(path, options.insertSessions ?? insertSessionsDefault, options.spoolDirectory);
  } catch (error) {
    throw new ConfigError(`the spool directory cannot be made: ${errorMessage(error)}`, { cause: error });
  }
}
