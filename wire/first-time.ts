/**
 * The time that a request begins with: of its first record, span or sample, as it stands in the bytes. The same bytes have
 * the same one whenever they come, which a time of arrival would not.
 */
import { DecodeError } from '#model/errors.ts';
import type { Signal } from './envelope.ts';
import { ProtobufReader } from './protobuf/protobuf-reader.ts';

const int64Ms = 'int64 ms';
const fixed64Ns = 'fixed64 ns';

/** Fields on the way to a time, each the first of its kind in its message; of the last ones, whichever comes first. */
interface Way {
  readonly path: readonly (readonly number[])[];
  readonly timeFields: readonly number[];
  readonly encoding: typeof int64Ms | typeof fixed64Ns;
}

/** Field numbers of opentelemetry-proto 1.x and of Prometheus's remote.proto and io.prometheus.write.v2. */
const ways: Readonly<Record<Signal, readonly Way[]>> = {
  logs: [{ path: [[1], [2], [2]], timeFields: [1, 11], encoding: fixed64Ns }],
  traces: [{ path: [[1], [2], [2]], timeFields: [7], encoding: fixed64Ns }],
  // gauge, sum, histogram, exponential histogram, summary: their points have the time in one place.
  metrics: [{ path: [[1], [2], [2], [5, 7, 9, 10, 11], [1]], timeFields: [3], encoding: fixed64Ns }],
  remote_write: [
    // Series of 1.0 or of 2.0: samples have one place in both.
    { path: [[1, 5], [2]], timeFields: [2], encoding: int64Ms },
    { path: [[5], [3]], timeFields: [15], encoding: int64Ms },
    { path: [[1], [4]], timeFields: [15], encoding: int64Ms },
  ],
};

const secondsEnd = 2 ** 32;

/** Returns seconds since 1970, 0 where the first record has no time or the bytes are not such a request. */
export function firstUnixSecond(signal: Signal, bytes: Uint8Array): number {
  const reader = new ProtobufReader();
  for (const way of ways[signal]) {
    reader.begin(bytes);
    try {
      const second = findSecond(reader, way);
      if (second !== undefined) return second;
    } catch (error) {
      // Whoever transcodes it says what is wrong with it.
      if (error instanceof DecodeError) return 0;
      throw error;
    }
  }
  return 0;
}

function findSecond(reader: ProtobufReader, { path, timeFields, encoding }: Way): number | undefined {
  for (const fields of path) {
    if (!isFound(reader, fields, 2)) return undefined;
    reader.enter();
  }
  if (!isFound(reader, timeFields, encoding === fixed64Ns ? 1 : 0)) return undefined;
  if (encoding === fixed64Ns) reader.readFixed64();
  else reader.readVarint64();
  const value = reader.high * secondsEnd + reader.low;
  const second = Math.floor(value / (encoding === fixed64Ns ? 1e9 : 1000));
  return second < secondsEnd ? second : 0;
}

/** Steps to the value of the first field that is one of `fields`. */
function isFound(reader: ProtobufReader, fields: readonly number[], wireType: number): boolean {
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if ((tag & 7) === wireType && fields.includes(tag >>> 3)) return true;
    reader.skip();
  }
  return false;
}
