/**
 * Where a new owner of a partition begins to read again what was stored already, so that it knows what the one before
 * knew: a while before the committed offset, by the messages' own timestamps.
 */
import { batchPlainBytesMax } from '#wire/kafka/compression-codecs.ts';
import { readBatches, readRecords } from '#wire/kafka/record-batch.ts';
import type { Broker } from './cluster.ts';
import { fetchFrom } from './fetch-request.ts';
import { listOffset } from './fetcher.ts';
import type { PartitionPlace } from './partition-context.ts';
import type { RecoveredOffsets } from './partition-protocol.ts';

/** A transaction leaves a marker behind its messages: more than a few in a row are no log of ours. */
const stepsBackMax = 64;

/** Returns the first offset with a message at most `historyMs` older than the last one before the committed offset. */
export async function historyStart(
  broker: Broker,
  place: PartitionPlace,
  { committed, logStart, logEnd }: RecoveredOffsets,
  historyMs: number,
): Promise<number> {
  if (committed === undefined || committed <= logStart || committed > logEnd) return logStart;
  // A clock that is ahead must not hide what there is to read.
  let lastMs = Date.now();
  for (let back = 1; back <= stepsBackMax && committed - back >= logStart; back *= 2) {
    const foundMs = await timestampBefore(broker, place, committed, back);
    if (foundMs === undefined) continue;
    lastMs = Math.min(lastMs, foundMs);
    break;
  }
  // Negative times mean something else to a broker.
  const first = await listOffset(broker, place, Math.max(0, lastMs - historyMs));
  return first < 0 ? committed : Math.min(committed, Math.max(logStart, first));
}

/** Of the last message in the batch of records `back` before `offset`; undefined where that holds none, but a marker. */
async function timestampBefore(
  broker: Broker,
  { topic, partition }: PartitionPlace,
  offset: number,
  back: number,
): Promise<number | undefined> {
  const [fetched] = await fetchFrom(broker, {
    waitMsMax: 0,
    // A broker sends one batch of records all the same.
    bytesMax: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset - back), maxBytes: 1 }] }],
  });
  if (fetched === undefined) throw new Error(`the broker sent nothing of ${topic}/${partition}`);
  if (fetched.error !== undefined) throw fetched.error;
  for (const batch of readBatches(fetched.log, 0, fetched.aborted).reverse()) {
    const records = await readRecords(batch, batchPlainBytesMax);
    const last = records.findLast((record) => record.offset < offset);
    if (last !== undefined) return last.timestampMs;
  }
  return undefined;
}
