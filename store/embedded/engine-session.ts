/**
 * One connection to the engine in this process. It runs one statement at a time; while a stream is open on it, any
 * other statement kills the stream: the pool that lends it must see to that.
 *
 * Settings and values enter as `SET name = x'<hex>'` on this connection. The driver's own binding keeps its values
 * per process, so that two bound queries at a time mix them up; these belong to the session, and hex digits cannot
 * break out of a literal.
 */
import { type ChdbQueryStream, Session } from 'chdb';
import { StoreError } from '../store.ts';

export type EngineSettings = Readonly<Record<string, string | number>>;

export interface SessionOptions {
  readonly path: string;
  readonly database: string;
  /** Server-level options in the form "--name=value": they count in the first session of a process only. */
  readonly engineArguments: readonly string[];
  /** What every statement of this session starts from. */
  readonly settings: EngineSettings;
}

export interface StatementScope {
  /** Finds the query in system.processes: the engine gives no way to choose its id. */
  readonly callId: string;
  readonly settings: EngineSettings;
  /** Values as ClickHouse reads parameters: see renderParams. */
  readonly params: Readonly<Record<string, string>>;
}

export class EngineSession {
  readonly #session: Session;
  readonly #base: EngineSettings;
  /** Settings that the statement before changed. */
  #changed: string[] = [];

  private constructor(session: Session, base: EngineSettings) {
    this.#session = session;
    this.#base = base;
  }

  /** Opens a connection; rejects with what the driver throws. */
  static async open(options: SessionOptions): Promise<EngineSession> {
    const session = new Session(options.path, { connectionArgs: [...options.engineArguments] });
    try {
      await session.queryAsync(`CREATE DATABASE IF NOT EXISTS ${options.database}`);
      await session.queryAsync(`USE ${options.database}`);
      const opened = new EngineSession(session, options.settings);
      await opened.reset();
      return opened;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Sets what the next statement needs and takes back what the one before had set. */
  async prepare(scope: StatementScope): Promise<void> {
    const settings: Record<string, string | number> = { ...this.#base, ...scope.settings };
    const parts = [`log_comment = ${literal(scope.callId)}`];
    for (const name of this.#changed) {
      if (!Object.hasOwn(settings, name)) parts.push(`${name} = DEFAULT`);
    }
    this.#changed = Object.keys(scope.settings);
    for (const [name, value] of Object.entries(settings)) parts.push(`${name} = ${literal(value)}`);
    for (const [name, value] of Object.entries(scope.params)) {
      parts.push(`param_${name} = ${literal(value)}`);
    }
    await this.#session.queryAsync(`SET ${parts.join(', ')}`);
  }

  /**
   * Forgets the statement before. After one that failed the driver keeps its stream and its place in
   * system.processes until the next statement: this is that statement.
   */
  reset(): Promise<void> {
    return this.prepare({ callId: '', settings: {}, params: {} });
  }

  /** Runs one statement and returns its whole output. */
  async run(sql: string, format: string): Promise<Uint8Array> {
    return (await this.#session.queryAsync(sql, { format })).bytes();
  }

  /** Starts a SELECT; the session is taken until the stream has ended. */
  stream(sql: string): ChdbQueryStream {
    return this.#session.queryStream(sql, { format: 'Native' });
  }

  close(): void {
    this.#session.close();
  }
}

function literal(value: string | number): string {
  if (typeof value === 'string')
    return value === '' ? "''" : `x'${Buffer.from(value, 'utf8').toString('hex')}'`;
  if (!Number.isFinite(value))
    throw new StoreError('a setting must be a finite number', { retryable: false });
  return String(value);
}
