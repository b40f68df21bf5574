/**
 * The messages of one partition that were fetched and are not in a run yet, in order of offset.
 *
 *   append([m5, m6], 7)  append([m8], 9)  ->  takeRun({ messagesMax: 2 })  ->  run [5,6], messages m5 m6
 *
 * A run covers every offset from the last one's end, so offsets that hold nothing (transaction markers) belong to one.
 */
import type { MessageHeaders } from '#wire/kafka/message.ts';
import type { RunRange } from './partition-protocol.ts';

export interface BufferedMessage {
  readonly offset: number;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  /** null is a tombstone. */
  readonly value: Buffer | null;
  readonly headers: MessageHeaders;
}

export interface Run {
  readonly range: RunRange;
  readonly messages: readonly BufferedMessage[];
  readonly bytes: number;
}

export interface RunLimits {
  /** A run is closed when it holds this many bytes of values. One larger message is a run of its own. */
  readonly bytesMax: number;
  readonly messagesMax: number;
}

/** What a message takes beside its value: object, key and headers. */
const messageOverheadBytes = 512;

export class MessageBuffer {
  readonly #bodyBytes: (message: BufferedMessage) => number;
  #messages: BufferedMessage[] = [];
  #start = 0;
  #position = 0;
  #bytes = 0;
  #oldestArrivalMs = 0;

  /** `bodyBytes` is what a message's value will take where that is more than the value itself: it may be compressed. */
  constructor(bodyBytes: (message: BufferedMessage) => number = () => 0) {
    this.#bodyBytes = bodyBytes;
  }

  /** The next offset to fetch. */
  get position(): number {
    return this.#position;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get isEmpty(): boolean {
    return this.#messages.length === 0;
  }

  /** When the oldest message came; meaningless where empty. */
  get oldestArrivalMs(): number {
    return this.#oldestArrivalMs;
  }

  /** Forgets everything: the next run begins at `next`. */
  reset(next: number): void {
    this.#messages = [];
    this.#start = next;
    this.#position = next;
    this.#bytes = 0;
  }

  /** `position` is the offset after the last one that was fetched, whether it holds a message or not. */
  append(messages: readonly BufferedMessage[], position: number, nowMs: number): void {
    if (this.#messages.length === 0) this.#oldestArrivalMs = nowMs;
    for (const message of messages) {
      this.#messages.push(message);
      this.#bytes += this.#messageBytes(message);
    }
    this.#position = position;
  }

  /** Whether a run that is taken now would reach a limit. */
  isFull({ bytesMax, messagesMax }: RunLimits): boolean {
    return this.#bytes >= bytesMax || this.#messages.length >= messagesMax;
  }

  /** Takes the longest run within the limits. Must not be called while empty. */
  takeRun({ bytesMax, messagesMax }: RunLimits, nowMs: number): Run {
    let count = 0;
    let bytes = 0;
    while (count < this.#messages.length && count < messagesMax && (count === 0 || bytes < bytesMax)) {
      const next = this.#messageBytes(this.#messages[count]!);
      if (count > 0 && bytes + next > bytesMax) break;
      bytes += next;
      count++;
    }
    if (count === 0) throw new Error('BUG: a run was taken from an empty buffer');
    const isAll = count === this.#messages.length;
    const last = isAll ? this.#position - 1 : this.#messages[count - 1]!.offset;
    return this.#take(count, { first: this.#start, last }, bytes, nowMs);
  }

  /** Takes exactly this run, or returns undefined while not all of it was fetched. Its limits are of the past. */
  takeExactly(range: RunRange, nowMs: number): Run | undefined {
    if (this.#position <= range.last) return undefined;
    let count = 0;
    let bytes = 0;
    for (const message of this.#messages) {
      if (message.offset > range.last) break;
      bytes += this.#messageBytes(message);
      count++;
    }
    return this.#take(count, range, bytes, nowMs);
  }

  #take(count: number, range: RunRange, bytes: number, nowMs: number): Run {
    const messages = this.#messages.slice(0, count);
    this.#messages = this.#messages.slice(count);
    this.#bytes -= bytes;
    this.#start = range.last + 1;
    this.#oldestArrivalMs = nowMs;
    return { range, messages, bytes };
  }

  #messageBytes(message: BufferedMessage): number {
    const valueBytes = message.value?.length ?? 0;
    return valueBytes + this.#bodyBytes(message) + messageOverheadBytes;
  }
}
