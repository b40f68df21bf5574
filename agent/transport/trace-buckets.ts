/**
 * Requests of spans, taken apart by trace id before they go to Kafka: all spans of a trace come to one partition, whoever
 * sends them, so that one consumer sees the whole trace.
 *
 *   request with spans of traces A B C, 8 buckets  ->  envelope batch/3 of A and C, envelope batch/5 of B
 *
 * The parts of a request and their batch ids are a function of its bytes and its batch id: a retry makes the same ones.
 */
import { createHash } from 'node:crypto';
import kafkajs from 'kafkajs';
import { DecodeError, errorMessage, RefusedError } from '#model/errors.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';
import { SpanSelector } from '#wire/otlp/span-selector.ts';
import { traceIds } from '#wire/otlp/trace-ids.ts';

/** Of an envelope. */
const batchIdLengthMax = 128;
const wordsOfId = 4;
/** More parts of one request would be a message for each span; topics with more partitions use so many of them. */
const bucketsMax = 1024;

/** Returns `transport` with requests of spans in up to `bucketCount` parts; every agent must have the same number. */
export function createTraceBuckets(transport: Transport, bucketCount: number): Transport {
  const keys = bucketKeys(Math.min(bucketsMax, bucketCount));
  const selector = new SpanSelector();
  return {
    send: async (envelope, abort) => {
      if (envelope.signal !== 'traces') return await transport.send(envelope, abort);
      const parts = split(envelope, keys, selector);
      const only = parts[0]!;
      if (parts.length === 1) return await transport.send(only.envelope, abort);
      const results = await Promise.allSettled(parts.map((part) => transport.send(part.envelope, abort)));
      return joinDeliveries(results, parts);
    },
    state: () => transport.state(),
    close: () => transport.close(),
  };
}

interface Part {
  readonly envelope: Envelope;
  readonly spanCount: number;
}

function split(envelope: Envelope, keys: readonly string[], selector: SpanSelector): readonly Part[] {
  const { bytes, batchId } = envelope;
  let ids: Uint32Array;
  try {
    ids = traceIds(bytes);
  } catch (error) {
    // It goes on as it is: the consumer makes a dead letter of it.
    if (!(error instanceof DecodeError)) throw error;
    return [{ envelope, spanCount: 0 }];
  }
  const spanCount = ids.length / wordsOfId;
  const buckets = new Uint16Array(spanCount);
  const counts = new Uint32Array(keys.length);
  for (let span = 0; span < spanCount; span++) {
    const bucket = bucketOf(ids, span * wordsOfId, keys.length);
    buckets[span] = bucket;
    counts[bucket]!++;
  }
  const parts: Part[] = [];
  const codes = new Uint8Array(spanCount);
  for (const [bucket, count] of counts.entries()) {
    if (count === 0) continue;
    const part = { ...envelope, key: keys[bucket]!, batchId: partId(batchId, bucket) };
    if (count === spanCount) return [{ envelope: part, spanCount }];
    for (let span = 0; span < spanCount; span++) codes[span] = buckets[span] === bucket ? 1 : 0;
    const selected = selector.select(bytes, codes);
    parts.push({ envelope: { ...part, bytes: selected, isMovable: true }, spanCount: count });
  }
  return parts.length === 0 ? [{ envelope, spanCount }] : parts;
}

function partId(batchId: string, bucket: number): string {
  const id = `${batchId}/${bucket}`;
  if (id.length <= batchIdLengthMax) return id;
  return `sha256-${createHash('sha256').update(id).digest('base64url')}`;
}

/** All words take part: the first bytes of some generators are a time, and the last 56 bits decide what is sampled. */
function bucketOf(ids: Uint32Array, at: number, bucketCount: number): number {
  let mixed = 0;
  for (let word = 0; word < wordsOfId; word++) {
    mixed = Math.imul(mixed ^ ids[at + word]!, 0x85eb_ca6b);
    mixed ^= mixed >>> 15;
  }
  return (Math.imul(mixed, 0xc2b2_ae35) >>> 0) % bucketCount;
}

/** One key for each bucket, such that in a topic of as many partitions each bucket has a partition of its own. */
function bucketKeys(bucketCount: number): readonly string[] {
  const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: bucketCount }, (_, partitionId) => ({
    partitionId,
    leader: 0,
  }));
  const keys: string[] = new Array(bucketCount);
  let missing = bucketCount;
  for (let number = 0; missing > 0; number++) {
    const key = `traces-${number}`;
    const bucket = partitionOf({ topic: '', partitionMetadata, message: { key } } as never);
    if (keys[bucket] !== undefined) continue;
    keys[bucket] = key;
    missing--;
  }
  return keys;
}

/** What may work later is thrown before what was refused: the parts that landed are known by their ids when they come again. */
function joinDeliveries(
  results: readonly PromiseSettledResult<Delivery>[],
  parts: readonly Part[],
): Delivery {
  let rejected = 0;
  const reasons: string[] = [];
  let refusal: RefusedError | undefined;
  for (const [index, result] of results.entries()) {
    if (result.status === 'fulfilled') {
      rejected += result.value.rejected;
      if (result.value.reason !== '') reasons.push(result.value.reason);
    } else if (result.reason instanceof RefusedError) {
      refusal = result.reason;
      rejected += parts[index]!.spanCount;
      reasons.push(errorMessage(result.reason));
    } else throw result.reason;
  }
  if (refusal !== undefined && results.every(({ status }) => status === 'rejected')) throw refusal;
  return { rejected, reason: reasons.join('; ') };
}
