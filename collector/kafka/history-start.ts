/**
 * Where a new owner of a partition begins to read again what was stored already, so that it knows what the one before
 * knew: a while before the committed offset, by the messages' own timestamps.
 */
import { type Broker, committedRecords, readCommitted } from './cluster.ts';
import { listOffset } from './fetcher.ts';
import type { RecoveredOffsets } from './partition-protocol.ts';
import type { PartitionPlace } from './partition-worker.ts';

/** Returns the first offset with a message at most `historyMs` older than the last one before the committed offset. */
export async function historyStart(
  broker: Broker,
  place: PartitionPlace,
  { committed, logStart, logEnd }: RecoveredOffsets,
  historyMs: number,
): Promise<number> {
  if (committed === undefined || committed <= logStart || committed > logEnd) return logStart;
  // A clock that is ahead must not hide what there is to read.
  const lastMs = Math.min(Date.now(), (await timestampBefore(broker, place, committed)) ?? Date.now());
  const first = await listOffset(broker, place, lastMs - historyMs);
  return first < 0 ? committed : Math.min(committed, Math.max(logStart, first));
}

/** Of the last message before `offset`; undefined where what stands there is no message. */
async function timestampBefore(
  broker: Broker,
  { topic, partition }: PartitionPlace,
  offset: number,
): Promise<number | undefined> {
  const { responses } = await broker.fetch({
    isolationLevel: readCommitted,
    maxWaitTime: 0,
    minBytes: 1,
    // A broker sends one batch of records all the same.
    maxBytes: 1,
    topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset - 1), maxBytes: 1 }] }],
  });
  const fetched = responses[0]?.partitions[0];
  if (fetched === undefined) throw new Error(`the broker sent nothing of ${topic}/${partition}`);
  const before = committedRecords(fetched, 0).filter((record) => Number(record.offset) < offset);
  const last = before.at(-1);
  return last === undefined ? undefined : Number(last.timestamp);
}
