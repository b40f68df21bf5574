/** A run with its messages: its batches are inflated within bounds, and what cannot be read is told apart. */
import { errorMessage } from '#model/errors.ts';
import { tenantDefault } from '#model/tenant.ts';
import { batchPlainBytesMax } from '#wire/kafka/compression-codecs.ts';
import { type KafkaRecord, type RecordBatch, readRecords } from '#wire/kafka/record-batch.ts';
import type { Run } from './batch-queue.ts';
import type { GatedRecord } from './partition-gate.ts';
import type { DeadLetter } from './run-requests.ts';

export interface OpenedRun {
  readonly messages: readonly GatedRecord[];
  /** Batches that are no records, each as one letter with the compressed bytes as its value. */
  readonly deadLetters: readonly DeadLetter[];
}

/** How much more is tried where a batch holds more than it stated or was guessed. */
const growFactor = 8;

/**
 * Returns the run's messages, or the same run with a larger plainBytes where it is more than was thought: then come again
 * with room for that. What it holds is never more than run.plainBytes.
 */
export async function openRun(run: Run): Promise<OpenedRun | Run> {
  const messages: GatedRecord[] = [];
  const deadLetters: DeadLetter[] = [];
  for (const [index, batch] of run.batches.entries()) {
    try {
      for (const record of batch.records ?? (await readRecords(batch, batch.plainBytes))) {
        if (record.offset >= run.range.first && record.offset <= run.range.last) messages.push(record);
      }
    } catch (error) {
      if (batch.plainBytes < batchPlainBytesMax) return grown(run, index);
      deadLetters.push(wholeBatch(batch, error));
    }
  }
  return { messages, deadLetters };
}

/**
 * Inflates the run, in as much room as it turns out to need: `grow` waits for it. `bodyBytes` is what a message that its
 * producer has compressed takes besides, when it is read.
 */
export async function openWithin(
  run: Run,
  bodyBytes: (message: KafkaRecord) => number,
  grow: (run: Run) => Promise<Run>,
): Promise<OpenedRun> {
  const opened = await openRun(run);
  if (!('messages' in opened)) return await openWithin(await grow(opened), bodyBytes, grow);
  const more = opened.messages.reduce((total, message) => total + bodyBytes(message), 0);
  if (run.bodyBytes >= more) return opened;
  return await openWithin(await grow({ ...run, bodyBytes: more }), bodyBytes, grow);
}

/** The cause may be that the batch holds more than was thought, or that it is broken: only the most room tells. */
function grown(run: Run, index: number): Run {
  const batch = run.batches[index]!;
  const plainBytes = Math.min(Math.max(batch.plainBytes, 1) * growFactor, batchPlainBytesMax);
  return {
    ...run,
    batches: run.batches.with(index, { ...batch, plainBytes }),
    plainBytes: run.plainBytes + plainBytes - batch.plainBytes,
  };
}

function wholeBatch({ baseOffset, firstTimestampMs, bytes, codec }: RecordBatch, error: unknown): DeadLetter {
  return {
    message: { offset: baseOffset, timestampMs: firstTimestampMs, key: null, value: bytes, headers: {} },
    tenant: tenantDefault,
    reason: `the record batch (compression ${codec}, here as it came) cannot be read: ${errorMessage(error)}`,
  };
}
