/**
 * Exactly-once from one Kafka partition to the store, as a pure state machine: events in, the one next action out.
 *
 *   recover -> read [first,last] -> commit intent (offset first, metadata "v2:last:topic") -> insert under a token of the
 *   run -> commit offset last+1, metadata "topic:topic" -> read ...
 *
 * Whoever owns the partition next reads the committed offset and metadata. A pending intent makes it read exactly
 * [first,last] and insert under the same token, which the store drops if it has landed. Invariant: nothing is inserted
 * without an intent that the group's coordinator has accepted, and an intent is never replaced by another run.
 *
 * Metadata carries the id of the topic that was read, where brokers have ids: an offset of another one says nothing. Whoever
 * has read a run makes sure that the topic is still the one of its assignment before it goes on: else it is revoked.
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
  /** Of the topic that has this log; '' where brokers have none. */
  readonly topicId: string;
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
  readonly reason: 'retention' | 'log_restarted' | 'log_truncated' | 'topic_replaced';
  /** The run whose intent was pending over the gap: part of it may have been stored before. */
  readonly pending: RunRange | undefined;
}

export interface Transition {
  readonly state: PartitionState;
  readonly gap?: OffsetGap;
}

/** Without a topic's id: where brokers have none, and as earlier versions wrote it. */
const intentPattern = /^v1:(\d{1,16})$/;
const topicIntentPattern = /^v2:(\d{1,16}):([\w-]{22})$/;
/** Not of the form of an intent: to earlier versions it says nothing. */
const topicPattern = /^topic:([\w-]{22})$/;

export const initialState: PartitionState = { step: 'recovering' };

/** The metadata of an intent to insert up to and including `last`, read of that topic; '' where it has no id. */
export function intentMetadata(last: number, topicId: string): string {
  return topicId === '' ? `v1:${last}` : `v2:${last}:${topicId}`;
}

/** The metadata of an offset up to which all is done. */
export function doneMetadata(topicId: string): string {
  return topicId === '' ? '' : `topic:${topicId}`;
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

function recover({ committed, metadata, topicId, logStart, logEnd }: RecoveredOffsets): Transition {
  if (committed === undefined) return { state: { step: 'reading', next: logStart, redo: undefined } };
  const noted = readMetadata(committed, metadata);
  if (noted === 'unknown') {
    return {
      state: {
        step: 'blocked',
        reason: `the group's offset metadata ${JSON.stringify(metadata)} is of a newer version: upgrade this collector`,
      },
    };
  }
  const { redo } = noted;
  if (noted.topicId !== '' && topicId !== '' && noted.topicId !== topicId) {
    return {
      state: { step: 'reading', next: logStart, redo: undefined },
      gap: { from: 0, to: logStart, count: logStart, reason: 'topic_replaced', pending: redo },
    };
  }
  return settle(committed, redo, { logStart, logEnd });
}

interface NotedMetadata {
  readonly redo: RunRange | undefined;
  readonly topicId: string;
}

/** The metadata of others (tools write notes there) says nothing; a version that we do not know says stop. */
function readMetadata(committed: number, metadata: string): NotedMetadata | 'unknown' {
  const intent = topicIntentPattern.exec(metadata) ?? intentPattern.exec(metadata);
  if (intent === null) {
    if (/^v\d+:/.test(metadata)) return 'unknown';
    return { redo: undefined, topicId: topicPattern.exec(metadata)?.[1] ?? '' };
  }
  const redo = { first: committed, last: Number(intent[1]) };
  return redo.last < redo.first ? 'unknown' : { redo, topicId: intent[2] ?? '' };
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
  { logStart, logEnd }: Pick<RecoveredOffsets, 'logStart' | 'logEnd'>,
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

/** Says what a gap is to people. */
export function describeGap({ reason, count }: OffsetGap): string {
  switch (reason) {
    case 'retention':
      return `retention removed ${count} messages before they were read: they are lost`;
    case 'log_restarted':
      return 'the log ends before the committed offset (topic made anew, or truncated): reading it from its beginning';
    case 'topic_replaced':
      return `the topic was deleted and made anew since the last commit: reading it from its beginning, offset ${count}; what was not read of the old one is gone`;
    case 'log_truncated':
      return `the log ends within a run that was under way (truncated): ${count} messages that it had are gone, unless they were stored before`;
    default:
      return reason satisfies never;
  }
}
