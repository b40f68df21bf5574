/**
 * Exactly-once from one Kafka partition to the store, as a pure state machine: events in, the one next action out.
 *
 *   recover -> read [first,last] -> commit intent (offset first, metadata "v1:last") -> insert under a token of the
 *   run -> commit offset last+1, no metadata -> read ...
 *
 * Whoever owns the partition next reads the committed offset and metadata. A pending intent makes it read exactly
 * [first,last] and insert under the same token, which the store drops if it has landed. Invariant: nothing is inserted
 * without an intent that the group's coordinator has accepted, and an intent is never replaced by another run.
 *
 * Deliberately absent: I/O, clocks, retries. A step that failed is simply repeated by whoever performs it; the machine
 * moves only on success. Offsets are numbers: exact up to 2^53.
 */

export interface RunRange {
  readonly first: number;
  readonly last: number;
}

/** What the group has committed for a partition, and which offsets its log holds: [start, end). */
export interface RecoveredOffsets {
  /** undefined where the group has never committed. */
  readonly committed: number | undefined;
  readonly metadata: string;
  readonly logStart: number;
  readonly logEnd: number;
}

export type PartitionState =
  | { readonly step: 'recovering' }
  /** Waits for messages from `next`; with `redo`, for exactly that run, whose intent is committed. */
  | { readonly step: 'reading'; readonly next: number; readonly redo: RunRange | undefined }
  | { readonly step: 'intending'; readonly run: RunRange }
  | { readonly step: 'inserting'; readonly run: RunRange }
  | { readonly step: 'committing'; readonly run: RunRange }
  /** The group's metadata is of a newer protocol: going on could double or lose. */
  | { readonly step: 'blocked'; readonly reason: string }
  | { readonly step: 'released' };

export type PartitionEvent =
  | { readonly kind: 'recovered'; readonly offsets: RecoveredOffsets }
  | { readonly kind: 'run_read'; readonly run: RunRange }
  /** The broker has no such offset: retention overtook us, or the topic was made anew. */
  | { readonly kind: 'out_of_range'; readonly logStart: number; readonly logEnd: number }
  | { readonly kind: 'intent_committed' }
  | { readonly kind: 'inserted' }
  | { readonly kind: 'run_committed' }
  /** The partition belongs to somebody else now, or a commit was fenced. */
  | { readonly kind: 'revoked' };

/** Messages that will never be read: `count` of them at most, or undefined where the log gives no way to know. */
export interface OffsetGap {
  readonly from: number;
  readonly to: number;
  readonly count: number | undefined;
  readonly reason: 'retention' | 'log_restarted' | 'log_truncated';
  /** The run whose intent was pending over the gap: part of it may have been stored before. */
  readonly pending: RunRange | undefined;
}

export interface Transition {
  readonly state: PartitionState;
  readonly gap?: OffsetGap;
}

const intentPattern = /^v1:(\d{1,16})$/;

export const initialState: PartitionState = { step: 'recovering' };

/** The metadata of an intent to insert up to and including `last`. */
export function intentMetadata(last: number): string {
  return `v1:${last}`;
}

/** Returns what follows from the event. Throws ("BUG: ...") on an event that does not belong to the state. */
export function transition(state: PartitionState, event: PartitionEvent): Transition {
  if (event.kind === 'revoked') return { state: { step: 'released' } };
  switch (state.step) {
    case 'recovering':
      if (event.kind === 'recovered') return recover(event.offsets);
      break;
    case 'reading':
      if (event.kind === 'run_read') return { state: readRun(state.next, state.redo, event.run) };
      if (event.kind === 'out_of_range') return settle(state.next, state.redo, event);
      break;
    case 'intending':
      if (event.kind === 'intent_committed') return { state: { step: 'inserting', run: state.run } };
      break;
    case 'inserting':
      if (event.kind === 'inserted') return { state: { step: 'committing', run: state.run } };
      break;
    case 'committing':
      if (event.kind === 'run_committed') {
        return { state: { step: 'reading', next: state.run.last + 1, redo: undefined } };
      }
      break;
    case 'blocked':
    case 'released':
      break;
    default:
      state satisfies never;
  }
  throw new Error(`BUG: event ${event.kind} in step ${state.step}`);
}

function recover({ committed, metadata, logStart, logEnd }: RecoveredOffsets): Transition {
  if (committed === undefined) return { state: { step: 'reading', next: logStart, redo: undefined } };
  const redo = pendingRun(committed, metadata);
  if (redo === 'unknown') {
    return {
      state: {
        step: 'blocked',
        reason: `the group's offset metadata ${JSON.stringify(metadata)} is of a newer version: upgrade this collector`,
      },
    };
  }
  return settle(committed, redo, { logStart, logEnd });
}

/** The metadata of others (tools write notes there) says nothing; a version that we do not know says stop. */
function pendingRun(committed: number, metadata: string): RunRange | undefined | 'unknown' {
  const last = intentPattern.exec(metadata)?.[1];
  if (last === undefined) return /^v\d+:/.test(metadata) ? 'unknown' : undefined;
  const run = { first: committed, last: Number(last) };
  return run.last < run.first ? 'unknown' : run;
}

function readRun(next: number, redo: RunRange | undefined, run: RunRange): PartitionState {
  if (redo !== undefined) {
    if (run.first !== redo.first || run.last !== redo.last) {
      throw new Error(`BUG: read [${run.first},${run.last}] to repeat [${redo.first},${redo.last}]`);
    }
    return { step: 'inserting', run };
  }
  if (run.first !== next || run.last < run.first) {
    throw new Error(`BUG: read [${run.first},${run.last}] where ${next} comes next`);
  }
  return { step: 'intending', run };
}

/** Goes on at `next` where the log still has it, else where the log begins, and says what is missing. */
function settle(
  next: number,
  redo: RunRange | undefined,
  { logStart, logEnd }: { readonly logStart: number; readonly logEnd: number },
): Transition {
  if (next > logEnd) {
    return {
      state: { step: 'reading', next: logStart, redo: undefined },
      gap: { from: next, to: logStart, count: undefined, reason: 'log_restarted', pending: redo },
    };
  }
  const cutCount = Math.max(0, logStart - next);
  if (redo !== undefined && redo.last >= logEnd) {
    // Its end has been read before, and is gone: it cannot be repeated. What is left of it may be in the store, under a
    // token that does not come again: the notes of its batches tell.
    const count = cutCount + redo.last + 1 - logEnd;
    return {
      state: { step: 'reading', next: next + cutCount, redo: undefined },
      gap: {
        from: cutCount > 0 ? next : logEnd,
        to: redo.last + 1,
        count,
        reason: 'log_truncated',
        pending: redo,
      },
    };
  }
  if (cutCount === 0) return { state: { step: 'reading', next, redo } };
  // What is left of a pending run keeps its name: had all of it landed, the store drops the rest.
  const isLeft = redo !== undefined && redo.last >= logStart;
  return {
    state: { step: 'reading', next: logStart, redo: isLeft ? redo : undefined },
    gap: { from: next, to: logStart, count: cutCount, reason: 'retention', pending: redo },
  };
}
