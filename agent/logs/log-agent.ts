/**
 * Follows log files and ships their lines, each once: finds files, reads what grew, makes batches, and moves on only
 * as batches are confirmed.
 *
 *   const agent = startLogAgent({ globs: ['/var/log/app-*.log'], transport, ... });
 *   await agent.stop({ drainMs: 5000 });
 *
 * The files are the buffer: while sends wait, reading stops, and memory stays at maxInFlight batches.
 */
import { randomBytes } from 'node:crypto';
import { errorMessage } from '#model/errors.ts';
import { BatchBuilder } from './batch/batch-builder.ts';
import { BatchRemaker } from './batch/batch-remaker.ts';
import { BatchSender, type SenderCounts } from './batch/batch-sender.ts';
import { PendingBatches } from './batch/pending-batches.ts';
import type { Checkpoint } from './checkpoint/checkpoint.ts';
import { type AgentState, CheckpointChanges } from './checkpoint/checkpoint-changes.ts';
import { CheckpointFile, loadCheckpoint } from './checkpoint/checkpoint-file.ts';
import { lockState } from './checkpoint/state-lock.ts';
import type { LineFormat } from './frame/frame.ts';
import { FrameReaders } from './frame/frame-readers.ts';
import { createEncodeCounts, type EncodeCounts } from './frame/range-encoder.ts';
import { type LogAgentOptions, type LogAgentSettings, resolveLogAgentOptions } from './log-agent-options.ts';
import { type Loss, LossLedger, type Problem } from './loss-ledger.ts';
import { FileDescriber } from './resource/file-describer.ts';
import { compileGlob, describeAccessError } from './tail/file-glob.ts';
import { FileSet, type FileSetCounts } from './tail/file-set.ts';
import type { LogSource } from './tail/log-source.ts';
import type { TailedFile } from './tail/tailed-file.ts';
import { WakeUp } from './wake-up.ts';

/** Totals since the start, for /metrics. */
export interface LogAgentCounters extends EncodeCounts, SenderCounts, FileSetCounts {
  bytesRead: number;
  checkpointSaves: number;
}

export interface LogFileStatus {
  readonly path: string;
  /** Undefined: no whole line was seen yet. */
  readonly format: LineFormat | undefined;
  /** What is confirmed or under way ends here. */
  readonly offset: number;
  readonly size: number;
  /** False: rotated away or deleted, and still read. Those that were read to their end are not listed. */
  readonly isPresent: boolean;
}

export interface LogAgentStatus {
  readonly files: readonly LogFileStatus[];
  readonly bytesRead: number;
  readonly linesRead: number;
  /** Bytes in files that are not confirmed yet. */
  readonly lagBytes: number;
  readonly batchesInFlight: number;
  readonly lost: readonly Loss[];
  readonly problems: readonly Problem[];
}

export interface LogAgent {
  /** Resolves when the globs were looked at for the first time: status() lists what they name from then on. */
  readonly firstLook: Promise<void>;
  /**
   * Reads what is there to its end, sends it, and waits for the answers up to `drainMs`. What is not confirmed then
   * is sent again by the next start. Never rejects for a transport that is down.
   */
  stop(options: { readonly drainMs: number }): Promise<void>;
  status(): LogAgentStatus;
  counters(): LogAgentCounters;
}

/** Confirmed batches are noted in the checkpoint at least this often: it only saves repeats after a crash. */
const checkpointIntervalMs = 1000;

/**
 * Starts following. Throws ConfigError for a bad option, a bad glob, a checkpoint that cannot be read, or one that
 * another agent uses.
 */
export function startLogAgent(options: LogAgentOptions): LogAgent {
  const settings = resolveLogAgentOptions(options);
  const sources = settings.globs.map((glob) => ({ glob: compileGlob(glob) }));
  const { checkpointPath, log } = settings;
  const unlock = lockState(checkpointPath, (message) => log.warn({ path: checkpointPath }, message));
  try {
    return new RunningLogAgent(settings, sources, loadCheckpoint(checkpointPath), unlock);
  } catch (error) {
    unlock();
    throw error;
  }
}

class RunningLogAgent implements LogAgent {
  readonly #settings: LogAgentSettings;
  readonly #ledger: LossLedger;
  readonly #files: FileSet;
  readonly #pending: PendingBatches;
  readonly #sender: BatchSender;
  readonly #builder: BatchBuilder;
  readonly #remaker: BatchRemaker;
  readonly #checkpoint: CheckpointFile;
  readonly #agentId: string;
  readonly #unlock: () => void;
  readonly #wakeUp = new WakeUp();
  readonly #lanes: { builtAtMs: number }[];
  readonly #counts = createEncodeCounts();
  readonly #running: Promise<void>;
  #bytesRead = 0;
  #turn = 0;
  /** True once what an earlier run left pending is settled: only then may new batches start. */
  #isResent = false;
  #resent: Promise<void> = Promise.resolve();
  #isStopping = false;
  #stopped: Promise<void> | undefined;
  #isFirstStart: boolean;
  #discoverAtMs = 0;
  #savedAtMs = 0;
  #savedRevision = 0;
  #isDirty = true;
  readonly #looked = Promise.withResolvers<void>();

  constructor(
    settings: LogAgentSettings,
    sources: readonly LogSource[],
    loaded: Checkpoint | undefined,
    unlock: () => void,
  ) {
    this.#settings = settings;
    this.#unlock = unlock;
    this.#isFirstStart = loaded === undefined;
    this.#agentId = loaded?.agentId ?? randomBytes(8).toString('hex');
    this.#ledger = new LossLedger(settings.log);
    this.#pending = new PendingBatches(loaded?.pending ?? []);
    const { node, rotatedQuietMs, transport, tenant, lineBytesMax, processors } = settings;
    const ledger = this.#ledger;
    const pending = this.#pending;
    const isHeld = (fileId: number) => pending.holds(fileId);
    const { multiline, rateLimitBytes } = settings;
    const rules = { isCollected: true, multiline, parse: '', rateLimitBytes };
    const origins = settings.origins?.(rules, ledger);
    const describer = new FileDescriber({ sources, node, rules, origins });
    const onRedescribe = ({ id, resource, rules: before }: TailedFile) =>
      pending.keepDescription(id, resource, before);
    this.#files = new FileSet(
      { describer, onRedescribe, rotatedQuietMs, ledger, isHeld },
      loaded?.nextFileId ?? 1,
    );
    this.#checkpoint = new CheckpointFile(
      settings.checkpointPath,
      new CheckpointChanges(() => this.#state()),
    );
    const readers = new FrameReaders();
    this.#builder = new BatchBuilder(readers, settings, ledger, processors);
    this.#remaker = new BatchRemaker(readers, this.#files, ledger, processors);
    const onSettled = () => {
      this.#isDirty = true;
      this.#wakeUp.call();
    };
    const checkpoint = this.#checkpoint;
    const agentId = this.#agentId;
    this.#sender = new BatchSender(
      { transport, checkpoint, pending, ledger, tenant, lineBytesMax, agentId, onSettled },
      loaded?.nextSequence ?? 1,
    );
    this.#lanes = Array.from({ length: settings.lanes }, () => ({ builtAtMs: Number.NEGATIVE_INFINITY }));
    this.#running = this.#run(loaded);
  }

  get firstLook(): Promise<void> {
    return this.#looked.promise;
  }

  stop({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#stopped ??= this.#stop(nowMs() + drainMs);
    return this.#stopped;
  }

  status(): LogAgentStatus {
    const files = this.#files.all().filter((file) => !file.isGone && !file.isParked);
    let unreadBytes = 0;
    for (const file of files) unreadBytes += file.unreadBytes;
    return {
      files: files.map(({ path, format, offset, size, isPresent }) => ({
        path,
        format,
        offset,
        size,
        isPresent,
      })),
      bytesRead: this.#bytesRead,
      linesRead: this.#counts.lines,
      lagBytes: unreadBytes + this.#pending.bytes,
      batchesInFlight: this.#sender.inFlightCount,
      lost: this.#ledger.losses(),
      problems: [...this.#ledger.problems(), ...this.#processorProblems()],
    };
  }

  counters(): LogAgentCounters {
    const checkpointSaves = this.#checkpoint.saveCount;
    return {
      ...this.#counts,
      ...this.#sender.counts,
      ...this.#files.counts,
      bytesRead: this.#bytesRead,
      checkpointSaves,
    };
  }

  #processorProblems(): Problem[] {
    const problems = this.#settings.processors?.modules?.problems() ?? [];
    return problems.map((message) => ({ path: '', message }));
  }

  async #run(loaded: Checkpoint | undefined): Promise<void> {
    this.#files.paths.lookedAtMs = loaded?.lookedAtMs ?? 0;
    await this.#files.restore(loaded?.files ?? [], nowMs());
    this.#files.paths.restore(loaded?.history ?? [], loaded?.sought ?? []);
    this.#resent = this.#sender
      .resend((pending) => this.#remaker.remake(pending))
      .then(() => {
        this.#isResent = true;
        this.#wakeUp.call();
      });
    while (!this.#isStopping) {
      await this.#runCycle();
      this.#looked.resolve();
      if (!this.#isStopping) await this.#wakeUp.wait(this.#settings.pollIntervalMs);
    }
  }

  async #runCycle(): Promise<void> {
    try {
      await this.#look(nowMs() >= this.#discoverAtMs);
      if (this.#isResent) await this.#sendDue(false);
      this.#saveIfDue();
      this.#ledger.setProblems('cycle', []);
    } catch (error) {
      if (errorMessage(error).startsWith('BUG:')) throw error;
      const message = describeAccessError('looking at log files failed and is tried again', error);
      this.#ledger.setProblems('cycle', [{ path: '', message }]);
    }
  }

  async #look(isDiscovering: boolean): Promise<void> {
    if (isDiscovering) {
      await this.#files.discover(this.#isFirstStart ? this.#settings.readFrom : 'beginning', nowMs());
      this.#isFirstStart = false;
      this.#discoverAtMs = nowMs() + this.#settings.discoverIntervalMs;
    }
    await this.#files.poll(nowMs());
    // At once: a file that is renamed out of the globs is found again after a crash by its checkpoint only.
    if (this.#files.revision !== this.#savedRevision) this.#saveSoon();
    this.#savedRevision = this.#files.revision;
  }

  /** Starts the batches that are due, as long as the number under way allows. Returns how often it came further. */
  async #sendDue(isDraining: boolean): Promise<number> {
    let count = 0;
    for (let lane = 0; lane < this.#lanes.length; lane++) {
      while (await this.#sendLane(lane, isDraining)) count++;
    }
    return count;
  }

  async #sendLane(lane: number, isDraining: boolean): Promise<boolean> {
    const { maxInFlight, batchBytesMax, flushIntervalMs, lanes, tenant, node } = this.#settings;
    if (this.#sender.inFlightCount >= maxInFlight) return false;
    const now = nowMs();
    const ready: TailedFile[] = [];
    let readyBytes = 0;
    const waitingPaths = new Set<string>();
    for (const file of this.#files.all()) {
      if (file.laneHash % lanes !== lane || waitingPaths.has(file.path)) continue;
      const isHeld = this.#pending.holds(file.id);
      const bytes = file.readableBytes(now, isHeld);
      // Lines without a time are ordered by their arrival: what was rotated away comes before what follows it.
      if (!file.isPresent && file.isPlain && (bytes > 0 || file.isWaiting(now, isHeld)))
        waitingPaths.add(file.path);
      if (bytes > 0) ready.push(file);
      readyBytes += bytes;
    }
    const isDue =
      isDraining || now - this.#lanes[lane].builtAtMs >= flushIntervalMs || readyBytes >= batchBytesMax;
    if (ready.length === 0 || !isDue) return false;
    const { skipCount } = this.#builder;
    const first = this.#turn++ % ready.length;
    const batch = await this.#builder.build(
      [...ready.slice(first), ...ready.slice(0, first)],
      now,
      isDraining,
    );
    // What was dropped may have been all that other files of its path waited for.
    if (batch === undefined) return this.#builder.skipCount > skipCount;
    this.#lanes[lane].builtAtMs = now;
    this.#count(batch);
    this.#sender.start(batch, `${tenant}/${node}/${lane}`);
    return true;
  }

  #count({
    counts,
    ranges,
  }: {
    counts: EncodeCounts;
    ranges: readonly { from: number; to: number }[];
  }): void {
    for (const name of Object.keys(counts) as (keyof EncodeCounts)[]) this.#counts[name] += counts[name];
    for (const { from, to } of ranges) this.#bytesRead += to - from;
  }

  #saveIfDue(): void {
    if (this.#isDirty && nowMs() - this.#savedAtMs >= checkpointIntervalMs) this.#saveSoon();
  }

  /** Starts a save and does not wait for it. */
  #saveSoon(): void {
    this.#isDirty = false;
    this.#savedAtMs = nowMs();
    this.#save().catch(() => {
      this.#isDirty = true;
    });
  }

  async #save(save = () => this.#checkpoint.save()): Promise<void> {
    try {
      await save();
      this.#ledger.setProblems('checkpoint', []);
    } catch (error) {
      const message = describeAccessError('cannot write the checkpoint', error);
      this.#ledger.setProblems('checkpoint', [{ path: this.#settings.checkpointPath, message }]);
      throw error;
    }
  }

  async #stop(deadlineMs: number): Promise<void> {
    this.#isStopping = true;
    this.#wakeUp.call();
    await this.#running;
    if (deadlineMs > nowMs()) await this.#drain(deadlineMs);
    await this.#sender.stop(Math.max(0, deadlineMs - nowMs()));
    await this.#resent;
    // What the disk refuses now was reported as a problem; the next start repeats batches that the store knows.
    await this.#save(() => this.#checkpoint.finish()).catch(() => undefined);
    await this.#files.close();
    this.#unlock();
  }

  /** Sends what the files have now; what is written meanwhile is left for the next start. */
  async #drain(deadlineMs: number): Promise<void> {
    do {
      // Quiet files are looked at now and then: this is the last look.
      for (const file of this.#files.all()) file.undefer();
      await this.#lookUntilCalm();
      for (const file of this.#files.all()) file.undefer();
      await this.#sendUntilIdle(deadlineMs);
      // Found rewritten while it was read: its new content is a new file.
    } while (this.#files.all().some((file) => file.isReplaced) && nowMs() < deadlineMs);
  }

  /** A truncation shows in one look, and what was written since in the next. */
  async #lookUntilCalm(): Promise<void> {
    let before: number;
    do {
      before = this.#files.counts.filesTruncated;
      this.#discoverAtMs = 0;
      await this.#runCycle();
    } while (this.#files.counts.filesTruncated !== before);
  }

  async #sendUntilIdle(deadlineMs: number): Promise<void> {
    while (nowMs() < deadlineMs) {
      const wasIdle = this.#isResent && this.#sender.inFlightCount === 0;
      const sentCount = this.#isResent ? await this.#sendDue(true) : 0;
      if (wasIdle && sentCount === 0) return;
      await this.#wakeUp.wait(Math.max(0, Math.min(this.#settings.pollIntervalMs, deadlineMs - nowMs())));
    }
  }

  /** What a restart must know. */
  #state(): AgentState {
    const { lookedAtMs, sought, history } = this.#files.paths;
    return {
      agentId: this.#agentId,
      nextSequence: this.#sender.nextSequence,
      nextFileId: this.#files.nextFileId,
      files: this.#files.states(),
      history: history.all(),
      sought,
      lookedAtMs,
      pending: this.#pending.all(),
    };
  }
}

function nowMs(): number {
  return performance.now();
}
