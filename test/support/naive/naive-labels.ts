/** Canonical labels and their id, the obvious way: strings, sorted, hashed as one byte string. */
import { Hash64 } from '#collector/transcode/byte-hash.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';

/** The id of labels or attributes: 64 bits as decimal text. */
export function naiveId(pairs: readonly (readonly [string, string])[]): string {
  const parts = [...pairs]
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .flatMap(([name, value]) => [Buffer.from(name), Buffer.of(0xff), Buffer.from(value), Buffer.of(0xff)]);
  const bytes = new Uint8Array(Buffer.concat(parts));
  const hash = new Hash64();
  hash.begin();
  hash.addRange(new ByteView(bytes), 0, bytes.length);
  hash.finish();
  return ((BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0)).toString();
}
