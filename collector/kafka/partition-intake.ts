/**
 * What was fetched of a partition, on its way into runs: straight into the queue, compressed as it came; or, where a gate
 * looks at every message first, opened and one by one.
 */
import { errorMessage } from '#model/errors.ts';
import { batchPlainBytesMax } from '#wire/kafka/compression-codecs.ts';
import { type RecordBatch, readRecords } from '#wire/kafka/record-batch.ts';
import { BatchQueue, type QueuedBatch } from './batch-queue.ts';
import type { GatedRecord, PartitionGate, ReleasedMessages } from './partition-gate.ts';

export class PartitionIntake {
  readonly queue = new BatchQueue();
  readonly #gate: PartitionGate | undefined;

  constructor(gate: PartitionGate | undefined) {
    this.#gate = gate;
  }

  /** The next offset to fetch. */
  get position(): number {
    return this.#gate?.position ?? this.queue.position;
  }

  /** Bytes that the gate holds back. */
  get heldBytes(): number {
    return this.#gate?.heldBytes ?? 0;
  }

  /** Forgets everything: runs begin at `next`, and a gate reads from `from` on what it has to know before. */
  reset(next: number, from: number): void {
    this.queue.reset(next);
    this.#gate?.reset(next, from);
  }

  /** Takes what a fetch from `offset` brought; resolves to whether there is more to make runs of. */
  async take(
    offset: number,
    batches: readonly RecordBatch[],
    position: number,
    isAtEnd: boolean,
  ): Promise<boolean> {
    const gate = this.#gate;
    if (gate === undefined) {
      if (position === offset) return false;
      this.queue.append(batches, position, Date.now());
      return true;
    }
    const records: GatedRecord[] = [];
    for (const batch of batches) records.push(...(await open(batch, offset)));
    // It was reset while batches were opened: they will be fetched again.
    if (offset !== gate.position) return false;
    return this.#release(gate.push(records, position, isAtEnd, performance.now()));
  }

  /**
   * The log has no such offset any more. Returns whether that is all: what is gone was to be read again, and is not
   * needed. Otherwise a gate lets go of what it holds, as what would end its wait will not come.
   */
  outOfRange(offset: number, logStart: number, logEnd: number): boolean {
    const gate = this.#gate;
    if (gate === undefined) return false;
    const next = this.queue.position;
    if (offset < next && logStart <= next && next <= logEnd) {
      // Who only asked whether the log still has what comes later gets no new beginning.
      if (offset < logStart) gate.reset(next, logStart);
      return true;
    }
    if (!gate.isEmpty) this.#release(gate.flush());
    return false;
  }

  #release({ messages, position }: ReleasedMessages): boolean {
    if (position === this.queue.position) return false;
    this.queue.append(messages.map(queued), position, Date.now());
    return true;
  }
}

/** The records from `offset` on. A batch that cannot be opened is one record with a fault: nothing of it is lost. */
async function open(batch: RecordBatch, offset: number): Promise<GatedRecord[]> {
  try {
    return (await readRecords(batch, batchPlainBytesMax)).filter((record) => record.offset >= offset);
  } catch (error) {
    return [
      {
        offset: Math.max(batch.baseOffset, offset),
        timestampMs: batch.firstTimestampMs,
        key: null,
        value: batch.bytes,
        headers: {},
        fault: `the record batch (compression ${batch.codec}, here as it came) cannot be read: ${errorMessage(error)}`,
      },
    ];
  }
}

const noBytes = Buffer.alloc(0);

function queued(record: GatedRecord): QueuedBatch {
  const bytes = record.value ?? noBytes;
  return {
    baseOffset: record.offset,
    lastOffset: record.offset,
    recordCount: 1,
    firstTimestampMs: record.timestampMs,
    appendTimestampMs: undefined,
    codec: 0,
    bytes,
    plainBytes: bytes.length,
    records: [record],
  };
}
