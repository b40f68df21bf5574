/**
 * Makes smaller requests of one: halves where it is too large for a topic, or one part for each bucket of its trace ids
 * or resources. Pure: the same bytes give the same parts, on every agent and start.
 */
import { crc32 } from 'node:zlib';
import { DecodeError } from '#model/errors.ts';
import type { Signal } from '../envelope.ts';
import { type LeafPath, MessageTree } from '../protobuf/message-tree.ts';
import { ProtobufReader, wireBytes } from '../protobuf/protobuf-reader.ts';
import { pruneSymbols } from '../remote-write/prune-symbols.ts';

export interface BucketPart {
  readonly bucket: number;
  readonly bytes: Uint8Array;
}

const records: LeafPath = [[1], [2], [2]];
/** Of gauge, sum, histogram, exponential histogram and summary. */
const dataPoints: LeafPath = [...records, [5, 7, 9, 10, 11], [1]];
const otlpPaths: Readonly<Record<Exclude<Signal, 'remote_write'>, LeafPath>> = {
  logs: records,
  traces: records,
  metrics: dataPoints,
};
const resources: LeafPath = [[1]];
/** The last bytes of a trace id are random where the first are a time (X-Ray) or zero (64-bit ids). */
const traceIdBytesUsed = 4;

/** Returns both halves by bytes, cut between records; undefined where there is one record, or none. Throws DecodeError. */
export function halveRequest(
  signal: Signal,
  bytes: Uint8Array,
): readonly [Uint8Array, Uint8Array] | undefined {
  const isRemoteWrite2 = signal === 'remote_write' && hasSymbols(bytes);
  const tree = new MessageTree(bytes, leafPath(signal, isRemoteWrite2));
  if (tree.leafCount < 2) return undefined;
  const first = new Uint8Array(tree.leafCount);
  const cut = middle(tree);
  first.fill(1, 0, cut);
  const second = first.map((mark) => 1 - mark);
  const [before, after] = [tree.build(first), tree.build(second)];
  return isRemoteWrite2 ? [pruneSymbols(before), pruneSymbols(after)] : [before, after];
}

/** How many log records, spans, data points or samples there are: 0 where the bytes are not such a request. */
export function countRecords(signal: Signal, bytes: Uint8Array): number {
  try {
    if (signal !== 'remote_write') return new MessageTree(bytes, otlpPaths[signal]).leafCount;
    const isRemoteWrite2 = hasSymbols(bytes);
    const samples = isRemoteWrite2 ? [2, 3] : [2, 4];
    return new MessageTree(bytes, [...leafPath(signal, isRemoteWrite2), samples]).leafCount;
  } catch (error) {
    if (error instanceof DecodeError) return 0;
    throw error;
  }
}

/**
 * Returns a traces request as one part for each bucket that its trace ids fall into, in the order of the buckets. A
 * request of one bucket is its own part. Throws DecodeError.
 */
export function splitByTrace(bytes: Uint8Array, buckets: number): readonly BucketPart[] {
  const tree = new MessageTree(bytes, records);
  const reader = new ProtobufReader();
  reader.begin(bytes);
  return splitByBucket(bytes, tree, (start, end) => {
    const view = fieldOf(reader, bytes, start, end);
    const from = Math.max(0, view.length - traceIdBytesUsed);
    let hash = 0;
    for (let at = from; at < view.length; at++) hash = hash * 256 + view[at]!;
    return hash % buckets;
  });
}

/** As splitByTrace, by the resources of an OTLP request. */
export function splitByResource(bytes: Uint8Array, tenant: string, buckets: number): readonly BucketPart[] {
  const tree = new MessageTree(bytes, resources);
  const reader = new ProtobufReader();
  reader.begin(bytes);
  return splitByBucket(
    bytes,
    tree,
    (start, end) => crc32(fieldOf(reader, bytes, start, end), crc32(tenant)) % buckets,
  );
}

/** Returns a hash of a request's first resource and the tenant. Throws DecodeError. */
export function firstResourceHash(bytes: Uint8Array, tenant: string): number {
  const reader = new ProtobufReader();
  reader.begin(bytes);
  const first = fieldOf(reader, bytes, 0, bytes.length);
  const resource = fieldOf(
    reader,
    bytes,
    first.byteOffset - bytes.byteOffset,
    first.byteOffset - bytes.byteOffset + first.length,
  );
  return crc32(resource, crc32(tenant));
}

function splitByBucket(
  bytes: Uint8Array,
  tree: MessageTree,
  bucketOf: (start: number, end: number) => number,
): readonly BucketPart[] {
  const marks = new Map<number, Uint8Array>();
  for (let index = 0; index < tree.leafCount; index++) {
    const { start, end } = tree.leaf(index);
    const bucket = bucketOf(start, end);
    let own = marks.get(bucket);
    if (own === undefined) {
      own = new Uint8Array(tree.leafCount);
      marks.set(bucket, own);
    }
    own[index] = 1;
  }
  if (marks.size < 2) return [{ bucket: [...marks.keys()][0] ?? 0, bytes }];
  return [...marks].sort(([a], [b]) => a - b).map(([bucket, own]) => ({ bucket, bytes: tree.build(own) }));
}

/** The content of field 1 in a message: a span's trace id, the resource of its spans. Empty where there is none. */
function fieldOf(reader: ProtobufReader, bytes: Uint8Array, start: number, end: number): Uint8Array {
  reader.seek(start, end);
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag !== ((1 << 3) | wireBytes)) {
      reader.skip();
      continue;
    }
    const from = reader.passBytes();
    return bytes.subarray(from, reader.position);
  }
  return bytes.subarray(start, start);
}

/** Remote write 1.0 has series in field 1, 2.0 in field 5. */
function leafPath(signal: Signal, isRemoteWrite2: boolean): LeafPath {
  if (signal !== 'remote_write') return otlpPaths[signal];
  return isRemoteWrite2 ? [[5]] : [[1]];
}

function hasSymbols(bytes: Uint8Array): boolean {
  const reader = new ProtobufReader();
  reader.begin(bytes);
  while (reader.position < reader.limit) {
    const field = reader.readTag() >>> 3;
    if (field === 4 || field === 5) return true;
    reader.skip();
  }
  return false;
}

function middle(tree: MessageTree): number {
  let total = 0;
  for (let index = 0; index < tree.leafCount; index++) {
    const { start, end } = tree.leaf(index);
    total += end - start;
  }
  let before = 0;
  for (let index = 0; index < tree.leafCount - 1; index++) {
    const { start, end } = tree.leaf(index);
    before += end - start;
    if (before * 2 >= total) return index + 1;
  }
  return tree.leafCount - 1;
}
