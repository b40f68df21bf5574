/**
 * ClickHouse's HTTP interface in front of the embedded engine: as much of it as @clickhouse/client uses. The engine is
 * real; only the wire is ours. For tests, and as a process of its own where collector and query are two processes:
 *
 *   node test/support/clickhouse-http.ts --data DIR --port 0      prints "listening on http://127.0.0.1:40123"
 *
 * Done: query text in the body or in ?query=, param_*, settings, database, query_id, Basic authentication, gzip and
 * zstd both ways, streamed SELECTs, INSERT ... FORMAT Native, KILL QUERY by query_id, exceptions before and within
 * an answer. Not done: sessions, roles, multipart, other insert formats; these are refused.
 */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable, type Transform } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { createGunzip, createGzip, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { drainPending } from 'chdb';
import { errorMessage } from '#model/errors.ts';
import { parseClickhouseCode } from '#store/clickhouse-error.ts';
import { EngineSession } from '#store/embedded/engine-session.ts';
import { QueryKiller } from '#store/embedded/query-killer.ts';
import { SessionPool } from '#store/embedded/session-pool.ts';
import { Spool } from '#store/embedded/spool.ts';
import { clusterArgument, onOneServer } from './one-shard-cluster.ts';

// Each running statement holds a thread of libuv's pool.
process.env.UV_THREADPOOL_SIZE ??= '16';

/** What becomes of the next request: an exception instead of an answer, or a cut connection. */
export type Failure =
  | { readonly kind: 'exception'; readonly code: number; readonly name: string }
  /** Nothing is run. */
  | { readonly kind: 'drop' }
  /** All of it is run, and the answer is lost. */
  | { readonly kind: 'drop-answer' }
  /** All of it is run, and the answer does not come for so long. */
  | { readonly kind: 'late-answer'; readonly ms: number }
  /** Somebody between answers instead, in words of its own. */
  | { readonly kind: 'status'; readonly status: number; readonly text: string };

export interface ClickhouseHttpOptions {
  readonly port?: number;
  readonly username?: string;
  readonly password?: string;
  /** The engine is the only shard of a cluster of this name: see one-shard-cluster.ts. */
  readonly cluster?: string;
}

export interface ClickhouseHttp {
  readonly url: string;
  /** Query texts in order of arrival. */
  readonly queries: readonly string[];
  /** Connections that were accepted so far. */
  readonly connectionCount: number;
  /** Content-Encoding of each body with data, in order of arrival; '' is none. */
  readonly bodyEncodings: readonly string[];
  /** Lets the next request whose query matches fail. */
  fail(next: Failure, query?: RegExp): void;
  close(): Promise<void>;
}

const version = '26.7.2.1';
const sessionCount = 8;
const bodyBytesMax = 512 * 1024 * 1024;
/** Not settings of the engine, or not ours to set on a session that is lent again. */
const reserved = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'wait_end_of_query',
  'enable_http_compression',
  'cancel_http_readonly_queries_on_client_close',
]);
const insertPattern = /^\s*INSERT\s+INTO\s+([\w.]+)\s*\(([\w\s,]*)\)\s*FORMAT\s+Native\s*$/i;
const killPattern = /^\s*KILL\s+QUERY\s+WHERE\s+query_id\s*=\s*\{id:String\}\s+ASYNC\s*$/i;
const streamPattern = /^\s*(SELECT|WITH)\b[\s\S]*\bFORMAT\s+(Native|JSONEachRow)\b/i;

interface Running {
  readonly ended: Promise<void>;
}

class Gateway {
  readonly queries: string[] = [];
  readonly #pool: SessionPool;
  readonly #admin: EngineSession;
  readonly #killer: QueryKiller;
  readonly #spool: Spool;
  readonly #credentials: string | undefined;
  readonly #isCluster: boolean;
  readonly #running = new Map<string, Running>();
  readonly #failures: { failure: Failure; query: RegExp }[] = [];

  private constructor(pool: SessionPool, admin: EngineSession, spool: Spool, options: ClickhouseHttpOptions) {
    this.#pool = pool;
    this.#admin = admin;
    this.#killer = new QueryKiller(admin);
    this.#spool = spool;
    this.#isCluster = options.cluster !== undefined;
    this.#credentials =
      options.username === undefined
        ? undefined
        : `Basic ${Buffer.from(`${options.username}:${options.password ?? ''}`).toString('base64')}`;
  }

  static async open(path: string, options: ClickhouseHttpOptions): Promise<Gateway> {
    await mkdir(path, { recursive: true });
    const { cluster } = options;
    const engineArguments = cluster === undefined ? [] : [clusterArgument(path, cluster)];
    const open = () =>
      EngineSession.open({ path, database: 'default', engineArguments, settings: { async_insert: 0 } });
    const admin = await open();
    const pool = new SessionPool({ name: 'http', sessionCountMax: sessionCount, waiterCountMax: 1000, open });
    return new Gateway(pool, admin, await Spool.open(path, sessionCount), options);
  }

  fail(failure: Failure, query = /(?:)/): void {
    this.#failures.push({ failure, query });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#pool.close();
    this.#admin.close();
    await drainPending();
    await this.#spool.close();
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://localhost');
    if (url.pathname === '/ping') {
      response.end('Ok.\n');
      return;
    }
    const body = await readBody(request);
    const inUrl = url.searchParams.get('query');
    const sent = inUrl ?? body.toString('utf8');
    this.queries.push(sent);
    const query = this.#isCluster ? onOneServer(sent) : sent;
    const failure = this.#takeFailure(query);
    if (failure?.kind === 'status') {
      response.writeHead(failure.status, { 'content-type': 'text/html' });
      response.end(failure.text);
      return;
    }
    if (failure?.kind === 'drop') {
      request.socket.destroy();
      return;
    }
    if (failure?.kind === 'exception') {
      throw new Error(`Code: ${failure.code}. DB::Exception: asked for by the test. (${failure.name})`);
    }
    if (this.#credentials !== undefined && request.headers.authorization !== this.#credentials) {
      throw new Error('Code: 516. DB::Exception: Authentication failed. (AUTHENTICATION_FAILED)');
    }
    const call = { request, response, query, params: url.searchParams, failure };
    if (killPattern.test(query)) this.#kill(call);
    else await this.#run(call, inUrl === null ? undefined : body);
  }

  #takeFailure(query: string): Failure | undefined {
    const index = this.#failures.findIndex((failure) => failure.query.test(query));
    return index === -1 ? undefined : this.#failures.splice(index, 1)[0]?.failure;
  }

  #kill({ response, params }: Call): void {
    const queryId = params.get('param_id') ?? '';
    const running = this.#running.get(queryId);
    if (running !== undefined) void this.#killer.kill(queryId, running.ended);
    response.end();
  }

  async #run(call: Call, data: Buffer | undefined): Promise<void> {
    const session = await this.#pool.acquire();
    const queryId = call.params.get('query_id') ?? randomUUID();
    const end = Promise.withResolvers<void>();
    this.#running.set(queryId, { ended: end.promise });
    call.response.setHeader('X-ClickHouse-Query-Id', queryId);
    try {
      await session.run(`USE ${databaseOf(call.params)}`, 'Null');
      const { settings, params } = scopeOf(call.params);
      if (data !== undefined && data.length > 0) {
        await this.#insert(session, call, data, { callId: queryId, settings, params });
      } else {
        await session.prepare({ callId: queryId, settings, params });
        if (streamPattern.test(call.query) && !call.params.has('wait_end_of_query')) {
          await this.#stream(session, call);
        } else {
          const format = call.params.get('default_format') ?? 'TabSeparated';
          await answer(call, Readable.from([await session.run(call.query, format)], { objectMode: false }));
        }
      }
    } finally {
      // A statement that failed stays in system.processes until the next one of its session.
      const isReset = await session.reset().then(
        () => true,
        () => false,
      );
      this.#running.delete(queryId);
      // One that cannot be reset is of no use to the next: what is wrong with it would be theirs.
      if (isReset) this.#pool.release(session);
      else this.#pool.discard(session);
      end.resolve();
    }
  }

  async #insert(session: EngineSession, call: Call, data: Buffer, scope: Scope): Promise<void> {
    const [, table, columns] = insertPattern.exec(call.query) ?? [];
    if (table === undefined) {
      throw new Error(
        'Code: 48. DB::Exception: only INSERT INTO t (a, b) FORMAT Native here. (NOT_IMPLEMENTED)',
      );
    }
    const slot = await this.#spool.acquire();
    try {
      await slot.write([data]);
      // The file is overwritten in place: what was inferred from its last content must not be used again.
      const inference = { schema_inference_use_cache_for_file: 0, schema_inference_make_columns_nullable: 0 };
      await session.prepare({
        callId: scope.callId,
        settings: { ...scope.settings, ...inference },
        params: { ...scope.params, path: slot.path },
      });
      await session.run(
        `INSERT INTO ${table} (${columns}) SELECT ${columns} FROM file({path:String}, 'Native')`,
        'Null',
      );
    } finally {
      this.#spool.release(slot);
    }
    await answer(call, Readable.from([]));
  }

  /** An exception within the answer is written into it, and the connection is cut: as ClickHouse does. */
  async #stream(session: EngineSession, call: Call): Promise<void> {
    const chunks = session.stream(call.query)[Symbol.asyncIterator]();
    // The first chunk decides between an exception's status and "200 OK".
    let next = await chunks.next();
    async function* bytes(): AsyncGenerator<Uint8Array> {
      try {
        for (; !next.done; next = await chunks.next()) yield next.value.raw();
      } catch (error) {
        yield Buffer.from(`${exceptionText(error)}\n`);
      } finally {
        await chunks.return?.();
      }
    }
    try {
      await answer(call, Readable.from(bytes(), { objectMode: false }));
    } finally {
      // A client that has gone destroys the answer, which does not wait for the stream's end: the next one has the session.
      await chunks.return?.();
    }
  }
}

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly query: string;
  readonly params: URLSearchParams;
  readonly failure: Failure | undefined;
}

interface Scope {
  readonly callId: string;
  readonly settings: Record<string, string>;
  readonly params: Record<string, string>;
}

function scopeOf(params: URLSearchParams): Omit<Scope, 'callId'> {
  const scope = { settings: {} as Record<string, string>, params: {} as Record<string, string> };
  for (const [name, value] of params) {
    if (name.startsWith('param_')) scope.params[name.slice('param_'.length)] = value;
    else if (/^(session_id|session_timeout|session_check|role)$/.test(name))
      throw new Error(`Code: 48. DB::Exception: no ${name} here.`);
    else if (!reserved.has(name)) scope.settings[name] = value;
  }
  return scope;
}

function databaseOf(params: URLSearchParams): string {
  const database = params.get('database') ?? 'default';
  if (!/^\w+$/.test(database)) throw new Error('Code: 81. DB::Exception: bad database. (UNKNOWN_DATABASE)');
  return database;
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  let source: AsyncIterable<Buffer> = request;
  if (encoding === 'gzip') source = request.pipe(createGunzip());
  else if (encoding === 'zstd') source = request.pipe(createZstdDecompress());
  else if (encoding !== undefined) throw new Error(`Code: 1. DB::Exception: no encoding ${encoding} here.`);
  const pieces: Buffer[] = [];
  let byteCount = 0;
  for await (const piece of source) {
    byteCount += piece.length;
    if (byteCount > bodyBytesMax) throw new Error('Code: 307. DB::Exception: the body is too large.');
    pieces.push(piece);
  }
  return Buffer.concat(pieces, byteCount);
}

async function answer({ request, response, params, failure }: Call, body: Readable): Promise<void> {
  if (failure?.kind === 'late-answer') await delay(failure.ms);
  if (failure?.kind === 'drop-answer') {
    body.destroy();
    request.socket.destroy();
    return;
  }
  response.setHeader('X-ClickHouse-Summary', '{"read_rows":"0","read_bytes":"0","written_rows":"0"}');
  const compress = params.get('enable_http_compression') === '1' ? compressor(request) : undefined;
  if (compress !== undefined) response.setHeader('Content-Encoding', compress.encoding);
  try {
    if (compress === undefined) await pipeline(body, response);
    else await pipeline(body, compress.transform, response);
  } catch (error) {
    // The client has gone: so has its answer.
    if (!request.socket.destroyed) throw error;
  }
}

function compressor(request: IncomingMessage): { encoding: string; transform: Transform } | undefined {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  if (accepted.includes('zstd')) return { encoding: 'zstd', transform: createZstdCompress() };
  if (accepted.includes('gzip')) return { encoding: 'gzip', transform: createGzip({ level: 1 }) };
  return undefined;
}

function exceptionText(error: unknown): string {
  const text = errorMessage(error);
  const coded = parseClickhouseCode(text) === undefined ? `Code: 1001. DB::Exception: ${text}` : text;
  return `${coded} (version ${version} (official build))`;
}

function statusOf(code: number): number {
  if ([60, 81, 36].includes(code)) return 404;
  if (code === 516) return 401;
  if (code === 159) return 408;
  return code === 62 || code === 456 || code === 457 ? 400 : 500;
}

async function respond(gateway: Gateway, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await gateway.handle(request, response);
  } catch (error) {
    const text = exceptionText(error);
    const code = parseClickhouseCode(text) ?? 1001;
    if (response.headersSent) {
      response.destroy();
      return;
    }
    response.writeHead(statusOf(code), { 'X-ClickHouse-Exception-Code': String(code) });
    response.end(`${text}\n`);
  }
  await finished(response).catch(() => undefined);
}

/** Opens the engine on `path` and listens on 127.0.0.1. */
export async function startClickhouseHttp(
  path: string,
  options: ClickhouseHttpOptions = {},
): Promise<ClickhouseHttp> {
  const gateway = await Gateway.open(path, options);
  let connectionCount = 0;
  const bodyEncodings: string[] = [];
  const server: Server = createServer({ maxHeaderSize: 2 * 1024 * 1024 }, (request, response) => {
    // With data in the body, the statement is in the address.
    if (request.url?.includes('query=INSERT')) bodyEncodings.push(request.headers['content-encoding'] ?? '');
    void respond(gateway, request, response);
  });
  server.on('connection', () => connectionCount++);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    queries: gateway.queries,
    bodyEncodings,
    get connectionCount() {
      return connectionCount;
    },
    fail: (next, query) => gateway.fail(next, query),
    close: async () => {
      server.closeIdleConnections();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      await gateway.close();
    },
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { data: { type: 'string' }, port: { type: 'string' } } });
  if (values.data === undefined) throw new Error('use --data DIR [--port N]');
  const running = await startClickhouseHttp(values.data, { port: Number(values.port ?? 0) });
  console.log(`listening on ${running.url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void running.close().then(() => process.exit(0)));
  }
}
