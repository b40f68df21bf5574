/**
 * What was lost, and what stands in the way: for the status page, the metrics and the log. Nothing is dropped without
 * an entry here.
 */

/** The part of a pino logger that the log agent uses. */
export interface AgentLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const lossReasons = [
  'refused',
  'rejected',
  'truncated',
  'deleted',
  'deleted_before_resend',
  'rotated_compressed',
  'rate_limited',
] as const;
/**
 * refused: the next station will never take the batch; rejected: it took the batch without these records; truncated,
 * deleted: the file's bytes went away unread; deleted_before_resend: they went away after they were sent and before
 * the answer was known, so they may have landed; rotated_compressed: a file was rotated away and compressed before it
 * was read to its end (the bytes are those of the compressed file); rate_limited: the file grew faster than its limit allows.
 */
export type LossReason = (typeof lossReasons)[number];

export interface Loss {
  readonly reason: LossReason;
  /** The file; '' where it is not known which of a batch's files it was. */
  readonly path: string;
  /** 0 where nobody counted them: bytes that were never read. */
  readonly records: number;
  readonly bytes: number;
}

export interface Problem {
  readonly path: string;
  readonly message: string;
}

/** Files that are listed by name; losses beyond share one entry per reason, so that the list stays bounded. */
const lossEntriesMax = 1000;
/** A file that loses data all the time is in the log this often; the metrics have every byte. */
const sayAgainMs = 10_000;
const otherPath = '(other files)';

export class LossLedger {
  readonly #log: AgentLog;
  readonly #losses = new Map<string, { reason: LossReason; path: string; records: number; bytes: number }>();
  readonly #problems = new Map<string, Map<string, string>>();
  readonly #now: () => number;
  /** What was lost since it was last said, by reason and file. */
  readonly #said = new Map<string, { atMs: number; records: number; bytes: number }>();

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(log: AgentLog, now = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Counts a loss, and says so, but not all the time of the same file. `detail` is why, for a person. */
  lose({ reason, path, records, bytes }: Loss, detail: string): void {
    this.#say({ reason, path, records, bytes }, detail);
    const isListed = this.#losses.has(lossKey(reason, path)) || this.#losses.size < lossEntriesMax;
    const name = isListed ? path : otherPath;
    const entry = this.#losses.get(lossKey(reason, name)) ?? { reason, path: name, records: 0, bytes: 0 };
    entry.records += records;
    entry.bytes += bytes;
    this.#losses.set(lossKey(reason, name), entry);
  }

  #say(loss: Loss, detail: string): void {
    const nowMs = this.#now();
    const key = lossKey(loss.reason, loss.path);
    const said = this.#said.get(key) ?? { atMs: Number.NEGATIVE_INFINITY, records: 0, bytes: 0 };
    said.records += loss.records;
    said.bytes += loss.bytes;
    // The list stays bounded: what it has no room for is said each time.
    if (this.#said.size < lossEntriesMax) this.#said.set(key, said);
    if (nowMs - said.atMs < sayAgainMs) return;
    const { records, bytes } = said;
    this.#log.error({ ...loss, records, bytes, detail }, 'log data was lost');
    Object.assign(said, { atMs: nowMs, records: 0, bytes: 0 });
  }

  losses(): Loss[] {
    return [...this.#losses.values()].map((entry) => ({ ...entry }));
  }

  /** Replaces the problems of one kind of work. Each is logged when it appears. */
  setProblems(kind: string, problems: readonly Problem[]): void {
    const before = this.#problems.get(kind);
    if (before === undefined && problems.length === 0) return;
    const now = new Map(problems.map(({ path, message }) => [path, message]));
    for (const [path, message] of now) {
      if (before?.get(path) !== message)
        this.#log.warn({ path, problem: message }, 'a log path has a problem');
    }
    for (const path of before?.keys() ?? []) {
      if (!now.has(path)) this.#log.info({ path }, 'the problem of a log path is over');
    }
    if (now.size > 0) this.#problems.set(kind, now);
    else this.#problems.delete(kind);
  }

  problems(): Problem[] {
    return [...this.#problems.values()].flatMap((kind) =>
      [...kind].map(([path, message]) => ({ path, message })),
    );
  }
}

function lossKey(reason: LossReason, path: string): string {
  return `${reason}|${path}`;
}
