/**
 * The messages that an envelope becomes, and which of a topic's partitions each belongs to.
 *
 *   logs            one message; the key of the agent's lane, else tenant and resource hash
 *   traces          one for each bucket of trace ids, so that one consumer sees whole traces
 *   metrics         one for each bucket of resources, so that a resource's points stay in order
 *   remote write    one message; the key of the scraped target, else tenant and a hash of job and instance
 *
 * Parts of an envelope have its batch id with a suffix, and the same bytes always give the same parts: what is sent again
 * after a restart is recognized part by part.
 */
import { createHash } from 'node:crypto';
import { DecodeError } from '#model/errors.ts';
import type { Envelope } from '#wire/envelope.ts';
import {
  countRecords,
  firstResourceHash,
  halveRequest,
  splitByResource,
  splitByTrace,
} from '#wire/kafka/split-request.ts';
import { sourceHash } from '#wire/remote-write/source-hash.ts';

export interface Part {
  readonly envelope: Envelope;
  /** The partition is this number modulo their count; undefined: it follows from the key, as every Kafka client does it. */
  readonly slot: number | undefined;
  /** '', or which half of which half this is, as 0s and 1s. */
  readonly halves: string;
}

/** As wire/receive/batch-identity.ts has it: longer ids make every note in the store longer. */
const batchIdLengthMax = 128;

/** Returns one part at least. What cannot be decoded goes as it came: whoever decodes it keeps it as a dead letter. */
export function partsOf(envelope: Envelope, buckets: number): readonly Part[] {
  const whole: Part = { envelope, slot: undefined, halves: '' };
  const { signal, tenant, bytes } = envelope;
  try {
    if (signal === 'traces') {
      return bucketParts(
        envelope,
        't',
        buckets,
        splitByTrace(bytes, buckets),
        (bucket) => `${tenant}/t${bucket}`,
      );
    }
    if (isOrdered(envelope)) return [whole];
    if (signal === 'metrics') {
      const parts = splitByResource(bytes, tenant, buckets);
      return bucketParts(envelope, 'r', buckets, parts, (bucket) => `${tenant}/r${bucket}`);
    }
    const hash = signal === 'logs' ? firstResourceHash(bytes, tenant) : sourceHash(bytes, tenant);
    const key = `${tenant}/${hash.toString(16).padStart(8, '0')}`;
    return [{ ...whole, envelope: { ...envelope, key }, slot: hash }];
  } catch (error) {
    if (error instanceof DecodeError) return [whole];
    throw error;
  }
}

/** Returns the two halves of what is too large, or undefined where it is one record, or nothing that can be cut. */
export function halvesOf({ envelope, slot, halves }: Part): readonly [Part, Part] | undefined {
  const { signal, batchId, bytes } = envelope;
  try {
    const pieces = halveRequest(signal, bytes);
    if (pieces === undefined) return undefined;
    const [first, second] = pieces.map((piece, index): Part => {
      const path = `${halves}${index}`;
      const whole = halves === '' ? batchId : batchId.slice(0, -halves.length - 1);
      return { envelope: { ...envelope, batchId: partId(whole, path), bytes: piece }, slot, halves: path };
    });
    return [first!, second!];
  } catch (error) {
    if (error instanceof DecodeError) return undefined;
    throw error;
  }
}

/** Records of the part; one where it cannot be decoded, as something is lost with it. */
export function recordsOf({ envelope: { signal, bytes } }: Part): number {
  return Math.max(1, countRecords(signal, bytes));
}

/** Receivers put the batch id into the key where nobody needs an order. */
function isOrdered({ key, batchId }: Envelope): boolean {
  return !key.endsWith(`/${batchId}`);
}

function bucketParts(
  envelope: Envelope,
  kind: string,
  buckets: number,
  parts: readonly { readonly bucket: number; readonly bytes: Uint8Array }[],
  keyOf: (bucket: number) => string,
): readonly Part[] {
  return parts.map(({ bucket, bytes }) => ({
    envelope: {
      ...envelope,
      key: keyOf(bucket),
      bytes,
      batchId:
        parts.length === 1 ? envelope.batchId : partId(envelope.batchId, `${kind}${bucket}.${buckets}`),
    },
    slot: bucket,
    halves: '',
  }));
}

/** A suffix of an id that is full already would make two ids equal: such ids become hashes first. */
function partId(batchId: string, suffix: string): string {
  const room = batchIdLengthMax - suffixRoom;
  const base =
    batchId.length <= room ? batchId : `sha256-${createHash('sha256').update(batchId).digest('base64url')}`;
  return `${base}/${suffix}`;
}

/** Of `/t63.64/` and the halves of halves of any request that fits in memory. */
const suffixRoom = 48;
