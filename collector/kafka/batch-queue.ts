/**
 * The record batches of one partition that were fetched and are not in a run yet, in order of offset, compressed.
 *
 *   append([batch 5-6, batch 8-8], 9)  ->  takeRun({ messagesMax: 2 })  ->  run [5,7], batch 5-6
 *
 * A run covers every offset from the last one's end, so offsets that hold nothing (transaction markers) belong to one. It
 * ends where a batch ends, so that nobody need open a batch to know how long a run is.
 */
import type { RecordBatch } from '#wire/kafka/record-batch.ts';
import type { GatedRecord } from './partition-gate.ts';
import type { RunRange } from './partition-protocol.ts';

/** A batch that may have been opened already: then its bytes are those of its records' values. */
export interface QueuedBatch extends RecordBatch {
  readonly records?: readonly GatedRecord[];
}

export interface Run {
  readonly range: RunRange;
  /** The first and the last may reach beyond the range, where the run was made by somebody else. */
  readonly batches: readonly QueuedBatch[];
  /** As they are held: compressed. */
  readonly bytes: number;
  /** What its messages will probably take, see messageBytes. */
  readonly plainBytes: number;
  /** What values that are compressed by themselves will take besides, as far as is known. */
  readonly bodyBytes: number;
}

export interface RunLimits {
  /** A run is closed when its messages hold this many bytes. One larger batch is a run of its own. */
  readonly bytesMax: number;
  readonly messagesMax: number;
}

/** What a message takes beside its value: object, key and headers. */
const messageOverheadBytes = 512;

export class BatchQueue {
  #batches: QueuedBatch[] = [];
  #start = 0;
  #position = 0;
  #bytes = 0;
  #plainBytes = 0;
  #messageCount = 0;
  #oldestArrivalMs = 0;

  /** The next offset to fetch. */
  get position(): number {
    return this.#position;
  }

  /** Bytes held: compressed. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether there is no message: a run that is taken now would be empty. */
  get isEmpty(): boolean {
    return this.#messageCount === 0;
  }

  /** When the oldest batch came; meaningless where empty. */
  get oldestArrivalMs(): number {
    return this.#oldestArrivalMs;
  }

  /** The time of the first message that waits; undefined where empty. */
  get oldestTimestampMs(): number | undefined {
    const first = this.#batches.find(({ recordCount }) => recordCount > 0);
    return first === undefined ? undefined : (first.appendTimestampMs ?? first.firstTimestampMs);
  }

  /** Forgets everything: the next run begins at `next`. */
  reset(next: number): void {
    this.#set([]);
    this.#start = next;
    this.#position = next;
  }

  /** `position` is the offset after the last one that was fetched, whether it holds a message or not. */
  append(batches: readonly QueuedBatch[], position: number, nowMs: number): void {
    if (this.isEmpty) this.#oldestArrivalMs = nowMs;
    // What holds no message needs no place: a run covers its offsets. A log of nothing else would fill the memory.
    this.#set([...this.#batches, ...batches.filter(({ recordCount }) => recordCount > 0)]);
    this.#position = position;
  }

  /** Whether a run that is taken now would reach a limit. */
  isFull({ bytesMax, messagesMax }: RunLimits): boolean {
    return this.#plainBytes >= bytesMax || this.#messageCount >= messagesMax;
  }

  /** What the messages of the next run would take. */
  runPlainBytes(limits: RunLimits): number {
    return plainBytesOf(this.#batches.slice(0, this.#runLength(limits)));
  }

  /** Takes the longest run within the limits. Must not be called while empty. */
  takeRun(limits: RunLimits, nowMs: number): Run {
    if (this.isEmpty) throw new Error('BUG: a run was taken from an empty queue');
    const count = this.#runLength(limits);
    const isAll = count === this.#batches.length;
    const last = isAll ? this.#position - 1 : this.#batches[count]!.baseOffset - 1;
    return this.#take(count, { first: this.#start, last }, nowMs);
  }

  /** Takes exactly this run, or returns undefined while not all of it was fetched. Its limits are of the past. */
  takeExactly(range: RunRange, nowMs: number): Run | undefined {
    if (this.#position <= range.last) return undefined;
    const count = this.#batches.findIndex(({ baseOffset }) => baseOffset > range.last);
    return this.#take(count === -1 ? this.#batches.length : count, range, nowMs);
  }

  /** How long what is here waits for more before it is a run, in milliseconds; undefined where there is nothing. */
  lingerMs(limits: RunLimits & { readonly lingerMs: number }, nowMs: number): number | undefined {
    if (this.isEmpty) return undefined;
    return this.isFull(limits) ? 0 : this.#oldestArrivalMs + limits.lingerMs - nowMs;
  }

  #runLength({ bytesMax, messagesMax }: RunLimits): number {
    let plainBytes = 0;
    let messages = 0;
    for (const [index, batch] of this.#batches.entries()) {
      plainBytes += messageBytes(batch);
      messages += batch.recordCount;
      if (messages > batch.recordCount && (plainBytes > bytesMax || messages > messagesMax)) return index;
    }
    return this.#batches.length;
  }

  #take(count: number, range: RunRange, nowMs: number): Run {
    const batches = this.#batches.slice(0, count);
    // A batch that the range ends within is needed again.
    this.#set(this.#batches.filter(({ lastOffset }) => lastOffset > range.last));
    this.#start = range.last + 1;
    this.#oldestArrivalMs = nowMs;
    const bytes = batches.reduce((total, batch) => total + batch.bytes.length, 0);
    return { range, batches, bytes, plainBytes: plainBytesOf(batches), bodyBytes: 0 };
  }

  #set(batches: QueuedBatch[]): void {
    this.#batches = batches;
    this.#bytes = batches.reduce((total, { bytes }) => total + bytes.length, 0);
    this.#plainBytes = plainBytesOf(batches);
    this.#messageCount = batches.reduce((total, { recordCount }) => total + recordCount, 0);
  }
}

function plainBytesOf(batches: readonly RecordBatch[]): number {
  return batches.reduce((total, batch) => total + messageBytes(batch), 0);
}

function messageBytes({ plainBytes, recordCount }: RecordBatch): number {
  return plainBytes + recordCount * messageOverheadBytes;
}
