/**
 * Performs the actions of one partition's state machine, one at a time, for as long as this member owns it.
 * Steps that fail are repeated with growing pauses; only this partition waits, and its fetching stops when it is full.
 */
import { errorMessage, UnavailableError } from '#model/errors.ts';
import { abortable, Backoff, pause } from '#wire/backoff.ts';
import type { Signal } from '#wire/envelope.ts';
import type { KafkaLog } from '#wire/kafka/client.ts';
import type { RequestOutcome, RunInserter } from '../run.ts';
import type { ConsumerCounters } from './consumer-counters.ts';
import type { DeadLetterOffice } from './dead-letters.ts';
import { isFenced } from './group-member.ts';
import { type BufferedMessage, MessageBuffer, type Run, type RunLimits } from './message-buffer.ts';
import type { MessageReader } from './message-reader.ts';
import { insertWithMisfits } from './misfit-runs.ts';
import {
  initialState,
  intentMetadata,
  type PartitionEvent,
  type PartitionState,
  type RecoveredOffsets,
  transition,
} from './partition-protocol.ts';
import { type DeadLetter, runRequests, runToken } from './run-requests.ts';

/** The steps that a failpoint can stand before. */
export type FailpointStep = 'intending' | 'inserting' | 'committing';

export interface PartitionPlace {
  readonly signal: Signal;
  readonly topic: string;
  readonly partition: number;
}

/** What the session does for its partitions. */
export interface PartitionContext {
  recover(place: PartitionPlace): Promise<RecoveredOffsets>;
  commit(place: PartitionPlace, offset: number, metadata: string): Promise<void>;
  /** Whether nobody else can own our partitions yet. */
  holdsSeat(): boolean;
  /** Our generation is over: join again. */
  lostSeat(): void;
  /** There is room again. */
  wakeFetcher(): void;
  readonly insertRun: RunInserter;
  readonly reader: MessageReader;
  readonly deadLetters: DeadLetterOffice;
  readonly counters: ConsumerCounters;
  readonly log: KafkaLog;
  readonly limits: RunLimits & { readonly lingerMs: number };
  readonly failpoint: ((step: FailpointStep, place: PartitionPlace) => void | Promise<void>) | undefined;
}

const backoffOptions = { firstMs: 100, maxMs: 10_000 };
/** Keeps a worker that breaks again and again from keeping the group busy. */
const brokenPauseMs = 1000;

export class PartitionWorker {
  readonly place: PartitionPlace;
  readonly #context: PartitionContext;
  readonly #buffer: MessageBuffer;
  readonly #abandon = new AbortController();
  #state: PartitionState = initialState;
  #run: Run | undefined;
  #trouble = '';
  #isFinishing = false;
  #highWatermark = 0;
  #committed = 0;
  /** Ends the wait for messages. */
  #wakeReader: () => void = () => undefined;

  constructor(place: PartitionPlace, context: PartitionContext) {
    this.place = place;
    this.#context = context;
    this.#buffer = new MessageBuffer(({ value, headers }) =>
      value === null ? 0 : context.reader.expectedBytes(place.signal, value, headers),
    );
  }

  /** Resolves when the partition is released; never rejects. */
  async work(): Promise<void> {
    while (this.#state.step !== 'released') {
      try {
        const event = await this.#perform(this.#state);
        this.#trouble = '';
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
    this.#buffer.reset(0);
    this.#run = undefined;
  }

  /** Lets the run under way end, and begins no other. One that cannot end now is left to the next owner. */
  finish(): void {
    this.#isFinishing = true;
    if (this.#trouble !== '') this.abandon();
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
    if (this.#isFinishing || (this.#buffer.isFull(this.#context.limits) && !this.isRepeating()))
      return undefined;
    return this.#buffer.position;
  }

  /** Whether it waits for the rest of a run that must be repeated: then its size is not ours to choose. */
  isRepeating(): boolean {
    return this.#state.step === 'reading' && this.#state.redo !== undefined;
  }

  /** Takes what a fetch from `offset` brought; a fetch that was overtaken by a reset is ignored. */
  accept(
    offset: number,
    messages: readonly BufferedMessage[],
    position: number,
    highWatermark: number,
  ): void {
    if (offset !== this.#buffer.position || this.#state.step === 'released') return;
    this.#highWatermark = highWatermark;
    if (position === offset) return;
    this.#buffer.append(messages, position, Date.now());
    this.#wakeReader();
  }

  /** The broker does not have `offset` any more. */
  outOfRange(offset: number, logStart: number, logEnd: number): void {
    if (offset !== this.#buffer.position || this.#state.step !== 'reading' || !this.#buffer.isEmpty) return;
    this.#apply({ kind: 'out_of_range', logStart, logEnd });
    this.#wakeReader();
  }

  /** Bytes held: buffered, and in the run under way. */
  get heldBytes(): number {
    return this.#buffer.bytes + (this.#run?.bytes ?? 0);
  }

  status(): PartitionStatus {
    const { topic, partition } = this.place;
    const state = this.#state.step === 'blocked' ? this.#state.reason : this.#trouble || this.#state.step;
    return {
      topic,
      partition,
      state,
      isWaiting: this.#trouble !== '' || this.#state.step === 'blocked',
      committedOffset: this.#committed,
      lag: Math.max(0, this.#highWatermark - this.#committed),
      heldBytes: this.heldBytes,
    };
  }

  #apply(event: PartitionEvent): void {
    const { state, gap } = transition(this.#state, event);
    this.#state = state;
    if (gap !== undefined) {
      this.#context.counters.add('gaps');
      this.#context.counters.add('gap_messages', gap.count ?? 0);
      this.#context.log.error(
        { ...this.place, ...gap },
        gap.reason === 'retention'
          ? `retention removed ${gap.count} messages before they were read: they are lost`
          : 'the log ends before the committed offset (topic made anew, or truncated): reading it from its beginning',
      );
    }
    const isFresh = event.kind === 'recovered' || event.kind === 'out_of_range';
    if (isFresh && state.step === 'reading') this.#buffer.reset(state.next);
    if (state.step === 'reading') this.#context.wakeFetcher();
  }

  async #perform(state: PartitionState): Promise<PartitionEvent> {
    switch (state.step) {
      case 'recovering': {
        const offsets = await this.#insist('reading the committed offset', () =>
          this.#context.recover(this.place),
        );
        this.#committed = offsets.committed ?? offsets.logStart;
        this.#highWatermark = offsets.logEnd;
        return { kind: 'recovered', offsets };
      }
      case 'reading':
        return await this.#read(state);
      case 'intending':
        await this.#pass('intending');
        return await this.#commit(state.run.first, intentMetadata(state.run.last), {
          kind: 'intent_committed',
        });
      case 'inserting':
        await this.#pass('inserting');
        return await this.#insert();
      case 'committing': {
        await this.#pass('committing');
        const event = await this.#commit(state.run.last + 1, '', { kind: 'run_committed' });
        if (event.kind === 'run_committed') this.#committed = state.run.last + 1;
        this.#run = undefined;
        return event;
      }
      case 'blocked':
        if (!this.#isFinishing) await this.#untilWoken(undefined);
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
      if (this.#isFinishing) return { kind: 'revoked' };
      if (this.#state.step !== 'reading' || this.#state.redo !== redo) {
        // The log was cut while we waited: what is to be read has changed.
        return await this.#perform(this.#state);
      }
      const nowMs = Date.now();
      let waitMs: number | undefined;
      if (redo !== undefined) {
        this.#run = this.#buffer.takeExactly(redo, nowMs);
        this.#trouble = this.#run === undefined ? `waits for offset ${redo.last} to repeat a run` : '';
      } else if (!this.#buffer.isEmpty) {
        waitMs = this.#buffer.oldestArrivalMs + limits.lingerMs - nowMs;
        if (waitMs <= 0 || this.#buffer.isFull(limits)) this.#run = this.#buffer.takeRun(limits, nowMs);
      }
      if (this.#run !== undefined) {
        if (redo !== undefined) this.#context.counters.add('repeated_runs');
        this.#context.wakeFetcher();
        return { kind: 'run_read', run: this.#run.range };
      }
      await this.#untilWoken(waitMs);
    }
  }

  async #insert(): Promise<PartitionEvent> {
    const { counters, deadLetters, insertRun, reader } = this.#context;
    const run = this.#run;
    if (run === undefined) throw new Error('BUG: no run to insert');
    const { topic, partition } = this.place;
    const token = runToken(topic, partition, run) + reader.tokenSuffix;
    let faulty: readonly DeadLetter[] = [];
    const isInserted = await this.#insist('inserting', async () => {
      // Somebody else may own the partition by now, and have moved on past what the store remembers.
      if (!this.#context.holdsSeat()) return false;
      const {
        requests,
        sources,
        deadLetters: refused,
        rejected,
      } = await runRequests(this.place, run.messages, reader);
      const outcomes =
        requests.length === 0 ? [] : await insertWithMisfits(insertRun, requests, sources, token);
      counters.addOutcomes(outcomes);
      counters.add('rejected', rejected);
      faulty = [...refused, ...undecodable(outcomes, sources, requests)];
      return true;
    });
    if (!isInserted) {
      this.#context.lostSeat();
      return { kind: 'revoked' };
    }
    if (faulty.length > 0) {
      const { signal: abandoned } = this.#abandon;
      const lost = await abortable(deadLetters.post(faulty, this.place, abandoned), abandoned);
      counters.add('dead_letters', faulty.length - lost);
      counters.add('dead_letters_lost', lost);
    }
    counters.add('runs');
    counters.add('messages', run.messages.length);
    counters.add('bytes', run.bytes);
    return { kind: 'inserted' };
  }

  async #commit(offset: number, metadata: string, done: PartitionEvent): Promise<PartitionEvent> {
    const isCommitted = await this.#insist('committing', async () => {
      try {
        await this.#context.commit(this.place, offset, metadata);
        return true;
      } catch (error) {
        if (isFenced(error)) return false;
        throw error;
      }
    });
    if (isCommitted) return done;
    this.#context.lostSeat();
    return { kind: 'revoked' };
  }

  async #pass(step: FailpointStep): Promise<void> {
    const { failpoint } = this.#context;
    if (failpoint !== undefined)
      await abortable(Promise.resolve(failpoint(step, this.place)), this.#abandon.signal);
  }

  /** Repeats what failed until it works; rejects when abandoned. */
  async #insist<Result>(what: string, attempt: () => Promise<Result>): Promise<Result> {
    const { signal } = this.#abandon;
    const backoff = new Backoff(backoffOptions);
    for (;;) {
      signal.throwIfAborted();
      try {
        return await abortable(attempt(), signal);
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof Error && error.message.startsWith('BUG:')) throw error;
        const trouble = `${what} failed: ${errorMessage(error)}`;
        if (trouble !== this.#trouble) this.#context.log.warn({ ...this.place }, `${trouble}; retrying`);
        this.#trouble = trouble;
        this.#context.counters.add('retries');
        if (this.#isFinishing) this.abandon();
        await pause(backoff.nextMs(error instanceof UnavailableError ? error.retryAfterMs : 0), signal);
      }
    }
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

export interface PartitionStatus {
  readonly topic: string;
  readonly partition: number;
  /** The protocol's step, or what it waits for. */
  readonly state: string;
  readonly isWaiting: boolean;
  readonly committedOffset: number;
  /** Messages in the log that are not committed, as far as the last fetch knew. */
  readonly lag: number;
  readonly heldBytes: number;
}

function undecodable(
  outcomes: readonly RequestOutcome[],
  sources: readonly BufferedMessage[],
  requests: readonly { readonly tenant: string }[],
): DeadLetter[] {
  return outcomes.flatMap(({ decodeError }, index) =>
    decodeError === undefined
      ? []
      : [{ message: sources[index]!, tenant: requests[index]!.tenant, reason: decodeError }],
  );
}
