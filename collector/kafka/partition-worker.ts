/**
 * Performs the actions of one partition's state machine, one at a time, for as long as this member owns it.
 * Steps that fail are repeated with growing pauses; only this partition waits, and its fetching stops when it is full.
 */
import { errorMessage } from '#model/errors.ts';
import { abortable, pause } from '#wire/backoff.ts';
import type { RecordBatch } from '#wire/kafka/record-batch.ts';
import type { BatchQueue, Run } from './batch-queue.ts';
import { isFenced } from './group-member.ts';
import type {
  FailpointStep,
  PartitionContext,
  PartitionPlace,
  PartitionStatus,
} from './partition-context.ts';
import { PartitionIntake } from './partition-intake.ts';
import {
  describeGap,
  doneMetadata,
  initialState,
  intentMetadata,
  type PartitionEvent,
  type PartitionState,
  transition,
} from './partition-protocol.ts';
import { RunStoring } from './run-storing.ts';
import { StepRetry } from './step-retry.ts';

/** Keeps a worker that breaks again and again from keeping the group busy. */
const brokenPauseMs = 1000;

export class PartitionWorker {
  readonly place: PartitionPlace;
  readonly #context: PartitionContext;
  readonly #intake: PartitionIntake;
  readonly #queue: BatchQueue;
  readonly #abandon = new AbortController();
  /** Ends the wait for a turn. */
  readonly #finishing = new AbortController();
  readonly #retry: StepRetry;
  readonly #storing: RunStoring;
  #state: PartitionState = initialState;
  /** Of the topic that the assignment began with; '' where brokers have no ids. */
  #topicId = '';
  #run: Run | undefined;
  /** What the gate threw: a broken invariant, as content is never its fault. */
  #gateFault: unknown;
  #highWatermark = 0;
  #committed = 0;
  #storedTimestampMs: number | undefined;
  /** Where a gate begins to read. */
  #historyStart = 0;
  /** Ends the wait for messages. */
  #wakeReader: () => void = () => undefined;

  constructor(place: PartitionPlace, context: PartitionContext) {
    this.place = place;
    this.#context = context;
    this.#intake = new PartitionIntake(context.gateOf(place));
    this.#queue = this.#intake.queue;
    this.#storing = new RunStoring(place, context, this.#abandon.signal);
    this.#retry = new StepRetry(place, context, this.#abandon.signal, () => {
      // Others take their turns meanwhile; what was inflated is inflated again.
      this.#storing.leave();
      if (this.#finishing.signal.aborted) this.abandon();
    });
  }

  /** Resolves when the partition is released; never rejects. */
  async work(): Promise<void> {
    while (this.#state.step !== 'released') {
      try {
        const event = await this.#perform(this.#state);
        this.#retry.trouble = '';
        this.#apply(event);
      } catch (error) {
        if (!this.#abandon.signal.aborted) {
          this.#context.log.error(
            { ...this.place, error: error instanceof Error ? error.stack : error },
            'a partition worker broke: joining again',
          );
          await pause(brokenPauseMs, this.#abandon.signal).catch(() => undefined);
          this.#context.lostSeat();
        }
        this.#apply({ kind: 'revoked' });
      }
    }
    this.#storing.leave();
    this.#intake.reset(0, 0);
    this.#run = undefined;
  }

  /** Lets the run under way end, and begins no other. One that cannot end now is left to the next owner. */
  finish(): void {
    this.#finishing.abort(new Error('the partition is being released'));
    if (this.#retry.trouble !== '') this.abandon();
    this.#wakeReader();
  }

  /** Gives up at once; what was begun is repeated by the next owner. */
  abandon(): void {
    this.#abandon.abort(new Error('the partition was released'));
    this.#wakeReader();
  }

  /** The offset to fetch from; undefined while there is nothing to fetch for. */
  fetchOffset(): number | undefined {
    if (
      this.#state.step === 'recovering' ||
      this.#state.step === 'blocked' ||
      this.#state.step === 'released'
    ) {
      return undefined;
    }
    if (this.#finishing.signal.aborted || (this.#queue.isFull(this.#context.limits) && !this.isRepeating()))
      return undefined;
    return this.#intake.position;
  }

  /** Whether it waits for the rest of a run that must be repeated: then its size is not ours to choose. */
  isRepeating(): boolean {
    return this.#state.step === 'reading' && this.#state.redo !== undefined;
  }

  /** Takes what a fetch from `offset` brought; a fetch that was overtaken by a reset is ignored. */
  async accept(
    offset: number,
    batches: readonly RecordBatch[],
    position: number,
    highWatermark: number,
  ): Promise<void> {
    if (offset !== this.#intake.position || this.#state.step === 'released') return;
    this.#highWatermark = highWatermark;
    try {
      if (await this.#intake.take(offset, batches, position, position >= highWatermark)) this.#wakeReader();
    } catch (error) {
      // Whoever fetches is not to blame, and would try for ever.
      this.#gateFault ??= error;
      this.#wakeReader();
    }
  }

  /** The broker does not have `offset` any more. */
  outOfRange(offset: number, logStart: number, logEnd: number): void {
    if (offset !== this.#intake.position || this.#state.step !== 'reading') return;
    if (this.#intake.outOfRange(offset, logStart, logEnd)) {
      this.#context.wakeFetcher();
      return;
    }
    // A run that was read goes on: its messages are not gone for us.
    if (this.#run !== undefined) return;
    // What is in hand is inserted first; but a run that must be repeated whole never would be.
    const { redo } = this.#state;
    if (redo === undefined ? !this.#queue.isEmpty : offset >= logStart && redo.last < logEnd) return;
    this.#apply({ kind: 'out_of_range', logStart, logEnd });
    this.#wakeReader();
  }

  /** Bytes held, as they came: waiting, and in the run under way. */
  get heldBytes(): number {
    return this.#queue.bytes + (this.#run?.bytes ?? 0);
  }

  status(): PartitionStatus {
    const { topic, partition } = this.place;
    const state =
      this.#state.step === 'blocked' ? this.#state.reason : this.#retry.trouble || this.#state.step;
    return {
      topic,
      partition,
      state,
      isWaiting: this.#retry.trouble !== '' || this.#state.step === 'blocked',
      committedOffset: this.#committed,
      lag: this.#lag,
      lagSeconds: this.#lagSeconds(Date.now()),
      heldBytes: this.heldBytes + this.#intake.heldBytes,
    };
  }

  get #lag(): number {
    // Behind the last message there may be markers of transactions, which nobody commits.
    const isAllStored = this.#run === undefined && this.#queue.isEmpty && this.#intake.heldBytes === 0;
    if (isAllStored && this.#state.step === 'reading' && this.#intake.position >= this.#highWatermark)
      return 0;
    return Math.max(0, this.#highWatermark - this.#committed);
  }

  /** How old the oldest message is that is not stored; where none was fetched, at most as old as the last stored one. */
  #lagSeconds(nowMs: number): number {
    if (this.#lag === 0) return 0;
    const first = this.#run?.batches.find(({ recordCount }) => recordCount > 0)?.firstTimestampMs;
    const oldestMs = first ?? this.#queue.oldestTimestampMs ?? this.#storedTimestampMs;
    return oldestMs === undefined ? 0 : Math.max(0, (nowMs - oldestMs) / 1000);
  }

  #apply(event: PartitionEvent): void {
    const { state, gap } = transition(this.#state, event);
    this.#state = state;
    if (gap !== undefined) {
      this.#context.counters.add('gaps');
      this.#context.counters.add('gap_messages', gap.count ?? 0);
      this.#context.log.error({ ...this.place, ...gap }, describeGap(gap));
    }
    const isFresh = event.kind === 'recovered' || event.kind === 'out_of_range';
    if (isFresh && state.step === 'reading') this.#intake.reset(state.next, this.#historyStart);
    if (state.step === 'reading') this.#context.wakeFetcher();
  }

  async #perform(state: PartitionState): Promise<PartitionEvent> {
    switch (state.step) {
      case 'recovering': {
        await this.#failpoint('recovering');
        const offsets = await this.#whileOwned('reading the committed offset', () =>
          this.#context.recover(this.place),
        );
        if (offsets === undefined) return { kind: 'revoked' };
        this.#topicId = offsets.topicId;
        this.#committed = offsets.committed ?? offsets.logStart;
        this.#highWatermark = offsets.logEnd;
        this.#historyStart = await this.#retry.insist('looking for where to read again', () =>
          this.#context.historyStart(this.place, offsets),
        );
        return { kind: 'recovered', offsets };
      }
      case 'reading':
        await this.#failpoint('reading');
        return await this.#read(state);
      case 'intending':
        await this.#failpoint('intending');
        return await this.#commit(state.run.first, intentMetadata(state.run.last, this.#topicId), {
          kind: 'intent_committed',
        });
      case 'inserting':
        await this.#failpoint('inserting');
        return await this.#insert();
      case 'committing': {
        await this.#failpoint('committing');
        const event = await this.#commit(state.run.last + 1, doneMetadata(this.#topicId), {
          kind: 'run_committed',
        });
        if (event.kind === 'run_committed') this.#committed = state.run.last + 1;
        this.#run = undefined;
        return event;
      }
      case 'blocked':
        if (!this.#finishing.signal.aborted) await this.#untilWoken(undefined);
        return { kind: 'revoked' };
      case 'released':
        throw new Error('BUG: a released partition has nothing to do');
      default:
        return state satisfies never;
    }
  }

  async #read({ redo }: PartitionState & { step: 'reading' }): Promise<PartitionEvent> {
    const { limits } = this.#context;
    for (;;) {
      this.#abandon.signal.throwIfAborted();
      if (this.#finishing.signal.aborted) return { kind: 'revoked' };
      if (this.#gateFault !== undefined) throw this.#gateFault;
      if (this.#state.step !== 'reading' || this.#state.redo !== redo) {
        // The log was cut while we waited: what is to be read has changed.
        return await this.#perform(this.#state);
      }
      const waitMs = redo === undefined ? this.#queue.lingerMs(limits, Date.now()) : undefined;
      if (redo !== undefined) {
        this.#run = this.#queue.takeExactly(redo, Date.now());
        this.#retry.trouble = this.#run === undefined ? `waits for offset ${redo.last} to repeat a run` : '';
        if (this.#run !== undefined) this.#context.counters.add('repeated_runs');
      } else if (waitMs !== undefined && waitMs <= 0) {
        // What comes while it waits for its turn makes the run larger.
        const released = AbortSignal.any([this.#abandon.signal, this.#finishing.signal]);
        if (!(await this.#storing.enter(() => this.#queue.runPlainBytes(limits), released))) continue;
        this.#run = this.#queue.takeRun(limits, Date.now());
      }
      if (this.#run !== undefined) {
        this.#context.wakeFetcher();
        return await this.#ofSameTopic({ kind: 'run_read', run: this.#run.range });
      }
      await this.#untilWoken(waitMs);
    }
  }

  /** The run was read before this looks: it is of the topic that our offsets are of, or must not be counted in them. */
  async #ofSameTopic(event: PartitionEvent): Promise<PartitionEvent> {
    if (this.#topicId === '') return event;
    const topicId = await this.#retry.insist('asking which topic it is', () =>
      this.#context.topicId(this.place),
    );
    if (topicId === this.#topicId || topicId === '') return event;
    this.#context.log.warn(
      { ...this.place, before: this.#topicId, now: topicId },
      'the topic was deleted and made anew: joining again',
    );
    this.#context.lostSeat();
    return { kind: 'revoked' };
  }

  async #insert(): Promise<PartitionEvent> {
    const inserted = await this.#retry.insist('inserting', () =>
      this.#storing.insertOnce(this.#run!, (larger) => {
        this.#run = larger;
      }),
    );
    if (inserted === undefined) {
      this.#context.lostSeat();
      return { kind: 'revoked' };
    }
    await this.#storing.settle(inserted);
    const last = this.#run?.batches.findLast(({ recordCount }) => recordCount > 0);
    this.#storedTimestampMs = last?.firstTimestampMs ?? this.#storedTimestampMs;
    return { kind: 'inserted' };
  }

  async #commit(offset: number, metadata: string, done: PartitionEvent): Promise<PartitionEvent> {
    const isCommitted = await this.#whileOwned('committing', async () => {
      await this.#context.commit(this.place, offset, metadata);
      return true;
    });
    return isCommitted === undefined ? { kind: 'revoked' } : done;
  }

  /** Repeats what failed; undefined where our generation is over, so that we must join again. */
  async #whileOwned<Result>(what: string, attempt: () => Promise<Result>): Promise<Result | undefined> {
    const result = await this.#retry.insist(what, async () => {
      try {
        return { value: await attempt() };
      } catch (error) {
        if (!isFenced(error)) throw error;
        this.#context.log.info({ ...this.place, error: errorMessage(error) }, `${what}: joining again`);
        return undefined;
      }
    });
    if (result === undefined) this.#context.lostSeat();
    return result?.value;
  }

  async #failpoint(step: FailpointStep): Promise<void> {
    const { failpoint } = this.#context;
    if (failpoint !== undefined)
      await abortable(Promise.resolve(failpoint(step, this.place)), this.#abandon.signal);
  }

  #untilWoken(waitMs: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = waitMs === undefined ? undefined : setTimeout(resolve, waitMs);
      this.#wakeReader = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
