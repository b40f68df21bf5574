/**
 * Group commit: requests that were pushed are gathered into blocks, and all of them are answered when these are stored.
 *
 *   add(a), add(b) ... 250,000 rows or one second later -> one insert -> a and b are answered
 *
 * ClickHouse wants few and large blocks. While a group is inserted the next one is gathered; when two are under way,
 * the open group grows to its limit and requests wait for it. Each keeps its own identity: see batch-note.ts.
 */
import { randomUUID } from 'node:crypto';
import { metrics } from '@opentelemetry/api';
import type { NativeBlock } from '#store/store.ts';
import type { Backlog } from './backlog.ts';
import type { BlockInserter } from './block-inserter.ts';
import type { Family, LandedIn, RequestOutcome, RunRequest } from './run.ts';
import type { TranscodeContext } from './transcode/transcoder.ts';
import { lostThread, type WorkerLane } from './worker-lane.ts';

export interface GroupLimits {
  readonly rowsMax: number;
  /** How long the first request of a group waits for others. */
  readonly ageMsMax: number;
  /** Of requests, before they are transcoded. */
  readonly bytesMax: number;
  /** Of the largest block: a small request can expand. 128 MiB where it is not set. */
  readonly blockBytesMax?: number;
}

/** Half of what the embedded store's spool has room for: what is appended last comes on top. */
const blockBytesMaxDefault = 128 * 1024 * 1024;

/** Inserts under way per family. A third would only take memory. */
const insertsMax = 2;
/** A group this large is not worth waiting for others where none has come for a while: its senders wait for us. */
const quietBytesMin = 512 * 1024;
const quietMs = 50;
/** Bytes that a thread is given at a time, so that other families get their turn. */
const appendBytesMax = 8 * 1024 * 1024;

const groupCounter = metrics.getMeter('sonde').createCounter('sonde.collector.groups', {
  description:
    'Groups of pushed requests that were inserted together, by signal family and why they were closed.',
});

interface Member {
  readonly request: RunRequest;
  readonly byteCount: number;
  /** It did not fit beside others, and is appended by itself: what comes with it would suffer from it again. */
  readonly isMisfit?: boolean;
  readonly resolve: (outcome: RequestOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** What the open blocks hold. `outcomes` and `members` are in the order in which the thread has the requests. */
interface Group {
  readonly threadId: number;
  readonly epoch: number;
  /** See RunStandings. */
  readonly run: number;
  readonly members: Member[];
  readonly outcomes: RequestOutcome[];
  bytes: number;
  rowCount: number;
  blockBytes: number;
  /** A request did not fit any more. */
  hasMisfits: boolean;
  touched: LandedIn;
}

export interface GroupCommitOptions {
  readonly lane: WorkerLane;
  readonly family: Family;
  readonly limits: GroupLimits;
  /** Of this family, on all lanes. */
  readonly backlog: Backlog;
  readonly inserter: BlockInserter;
  readonly context: () => TranscodeContext;
}

/** The groups of one family on one lane. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #waiting: Member[] = [];
  #age: NodeJS.Timeout | undefined;
  #quiet: NodeJS.Timeout | undefined;
  #group: Group | undefined;
  /** Why the open group is to be inserted now. */
  #due: 'age' | 'quiet' | 'closing' | undefined;
  #insertCount = 0;
  #isWorking = false;
  /** For how many rows a request is good, by what came before. */
  #bytesPerRow = 100;

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Resolves when the request's rows are durable, or it was refused; rejects with UnavailableError. */
  add(request: RunRequest): Promise<RequestOutcome> {
    return new Promise((resolve, reject) => {
      const byteCount = request.bytes.byteLength;
      this.#waiting.push({ request, byteCount, resolve, reject });
      this.#options.backlog.add(byteCount);
      this.#options.lane.openBytes += byteCount;
      void this.#work();
    });
  }

  /** Inserts what is gathered without waiting for more. */
  flush(): void {
    this.#close('closing');
  }

  #close(reason: 'age' | 'quiet' | 'closing'): void {
    this.#due ??= reason;
    void this.#work();
  }

  /** Appends and seals for as long as there is something to do. Never rejects. */
  async #work(): Promise<void> {
    if (this.#isWorking) return;
    this.#isWorking = true;
    try {
      for (;;) {
        const group = this.#group;
        const isFull = group !== undefined && this.#isFull(group);
        if (group !== undefined && (isFull || this.#due !== undefined) && this.#insertCount < insertsMax) {
          await this.#seal(group, isFull ? 'full' : this.#due!);
        } else if (this.#waiting.length > 0 && !isFull) await this.#append(this.#nextMembers(group));
        else break;
      }
      if (this.#group === undefined) this.#due = undefined;
    } finally {
      this.#isWorking = false;
    }
  }

  #isFull({ rowCount, bytes, blockBytes, hasMisfits }: Group): boolean {
    const { rowsMax, bytesMax, blockBytesMax = blockBytesMaxDefault } = this.#options.limits;
    return hasMisfits || rowCount >= rowsMax || bytes >= bytesMax || blockBytes >= blockBytesMax;
  }

  /** As many waiting requests as fill the group, one at least. */
  #nextMembers(group: Group | undefined): Member[] {
    if (this.#waiting[0].isMisfit) return this.#waiting.splice(0, 1);
    const { rowsMax } = this.#options.limits;
    const room = (rowsMax - (group?.rowCount ?? 0)) * this.#bytesPerRow;
    const bytesMax = Math.min(room, appendBytesMax);
    let count = 0;
    let bytes = 0;
    while (
      count < this.#waiting.length &&
      (count === 0 || bytes + this.#waiting[count].byteCount <= bytesMax)
    ) {
      bytes += this.#waiting[count++].byteCount;
    }
    return this.#waiting.splice(0, count);
  }

  async #append(members: readonly Member[]): Promise<void> {
    const { lane, backlog } = this.#options;
    backlog.remove(bytesOf(members));
    const group = this.#group;
    const run = group?.run ?? this.#options.inserter.standings.begin();
    const now = this.#context(run);
    try {
      const requests = members.map(({ request }) => request);
      const { threadId, outcomes, ...open } = await lane.append('pushed', requests, now);
      const isSame = group?.threadId === threadId;
      if (group !== undefined && !isSame) this.#rejectAll(group.members.splice(0), lostThread());
      const next = group !== undefined && isSame ? group : this.#openGroup(threadId, now.seriesEpoch, run);
      for (const [index, outcome] of outcomes.entries()) this.#admit(next, members[index], outcome);
      this.#deferMisfits(next, members, outcomes);
      const { rowCount } = Object.assign(next, open);
      if (rowCount > 0) this.#bytesPerRow = Math.max(1, next.bytes / rowCount);
      // Nothing of it is in the blocks, so nothing of it is missing from the store.
      if (next.members.length === 0) this.#abandon(next, true);
      else if (next.bytes >= quietBytesMin) {
        if (this.#quiet === undefined) this.#quiet = setTimeout(() => this.#close('quiet'), quietMs);
        else this.#quiet.refresh();
      }
    } catch (error) {
      this.#rejectAll(members, error);
      if (group !== undefined) this.#rejectAll(group.members.splice(0), error);
      this.#abandon({ run }, false);
      await this.#discard();
    }
  }

  #context(run: number): TranscodeContext {
    return { ...this.#options.context(), standing: this.#options.inserter.standings.of(run) };
  }

  #openGroup(threadId: number, epoch: number, run: number): Group {
    this.#age ??= setTimeout(() => this.#close('age'), this.#options.limits.ageMsMax);
    const blocks = { rowCount: 0, blockBytes: 0, touched: {} };
    this.#group = { threadId, epoch, run, members: [], outcomes: [], bytes: 0, hasMisfits: false, ...blocks };
    return this.#group;
  }

  /** A request that could not be decoded, or waits for totals, is answered at once: nothing of it is in the blocks. */
  #admit(group: Group, member: Member, outcome: RequestOutcome): void {
    if (outcome.misfit !== undefined) return;
    if (outcome.decodeError !== undefined || outcome.deltaWait !== undefined) {
      this.#options.lane.openBytes -= member.byteCount;
      member.resolve(outcome);
      return;
    }
    group.members.push(member);
    group.outcomes.push(outcome);
    group.bytes += member.byteCount;
  }

  /** What did not fit comes first once the group is inserted: in blocks of its own it is taken, or refused for good. */
  #deferMisfits(group: Group, members: readonly Member[], outcomes: readonly RequestOutcome[]): void {
    const misfits = members.flatMap((member, index) => {
      const { misfit } = outcomes[index];
      if (misfit === undefined) return [];
      return { ...member, request: { ...member.request, bytes: misfit.bytes }, isMisfit: true };
    });
    if (misfits.length === 0) return;
    group.hasMisfits = true;
    this.#waiting.unshift(...misfits);
    this.#options.backlog.add(bytesOf(misfits));
  }

  /** From open blocks to an insert under way; the next group can be opened then. */
  async #seal(group: Group, reason: string): Promise<void> {
    const { lane, family, inserter } = this.#options;
    this.#endGroup();
    try {
      const sealed = await this.#take(group);
      groupCounter.add(1, { family, reason });
      this.#insertCount++;
      void inserter
        .insert(sealed.blocks, `group/${randomUUID()}`, sealed.epoch)
        .then(
          () => {
            lane.recycle(sealed.blocks);
            inserter.standings.end(group.run, true);
            this.#resolveAll(group.members, sealed.outcomes);
          },
          (error: unknown) => {
            inserter.standings.end(group.run, false);
            this.#rejectAll(group.members, error);
          },
        )
        .finally(() => {
          this.#insertCount--;
          void this.#work();
        });
    } catch (error) {
      inserter.standings.end(group.run, false);
      this.#rejectAll(group.members, error);
      await this.#discard();
    }
  }

  /** Takes the blocks out of the thread, without the rows that landed before. */
  async #take(
    group: Group,
  ): Promise<{ blocks: readonly NativeBlock[]; outcomes: RequestOutcome[]; epoch: number }> {
    const { lane, family, inserter } = this.#options;
    let { outcomes, epoch } = group;
    const notes = group.members.flatMap(({ request }) => request.note ?? []);
    const landed = await inserter.selectLanded(group.touched, notes);
    if (landed.size > 0) {
      const now = this.#context(group.run);
      const again = await lane.again('pushed', family, landed, now);
      if (again.threadId !== group.threadId) throw lostThread();
      outcomes = [...again.outcomes];
      epoch = now.seriesEpoch;
    }
    const { threadId, blocks, requestCount } = await lane.take('pushed', family);
    if (threadId !== group.threadId || requestCount !== group.members.length) throw lostThread();
    return { blocks, outcomes, epoch };
  }

  #endGroup(): void {
    clearTimeout(this.#age);
    clearTimeout(this.#quiet);
    this.#age = undefined;
    this.#quiet = undefined;
    this.#group = undefined;
    this.#due = undefined;
  }

  #abandon({ run }: Pick<Group, 'run'>, isStored: boolean): void {
    this.#endGroup();
    this.#options.inserter.standings.end(run, isStored);
  }

  /** The thread may have rows of requests that were told to come again: none of them may stay. */
  async #discard(): Promise<void> {
    const { lane, family, inserter } = this.#options;
    if (family === 'series') inserter.forgetNames();
    await lane.discard('pushed', family).catch(() => undefined);
  }

  #resolveAll(members: readonly Member[], outcomes: readonly RequestOutcome[]): void {
    for (const [index, { byteCount, resolve }] of members.entries()) {
      this.#options.lane.openBytes -= byteCount;
      resolve(outcomes[index]);
    }
  }

  #rejectAll(members: readonly Member[], error: unknown): void {
    for (const { byteCount, reject } of members) {
      this.#options.lane.openBytes -= byteCount;
      reject(error);
    }
  }
}

function bytesOf(members: readonly Member[]): number {
  return members.reduce((total, { byteCount }) => total + byteCount, 0);
}
