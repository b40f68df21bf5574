/**
 * Where the series of a remote write request come from, as a number: of the job and instance of its first series, as a
 * scraped target's series have them. Senders shard by series, so the others usually have other sources; what counts is
 * that a source that sends alone always gets the same number.
 */
import { crc32 } from 'node:zlib';
import { ProtobufReader, wireBytes } from '../protobuf/protobuf-reader.ts';

type Pairs = readonly (readonly [name: string, value: string])[];

/** `request` is remote write 2.0 or 1.0. Throws DecodeError. */
export function sourceHash(request: Uint8Array, tenant: string): number {
  const reader = new ProtobufReader();
  reader.begin(request);
  const symbols: Uint8Array[] = [];
  let first: Uint8Array | undefined;
  let isVersion2 = false;
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    const field = tag >>> 3;
    if ((tag & 7) !== wireBytes) {
      reader.skip();
      continue;
    }
    const start = reader.passBytes();
    const content = request.subarray(start, reader.position);
    if (field === 4) symbols.push(content);
    if (field === 5 || field === 4) isVersion2 = true;
    if ((field === 5 || field === 1) && first === undefined) first = content;
  }
  if (first === undefined) return crc32('', crc32(tenant));
  const pairs = isVersion2 ? referencedPairs(first, symbols) : labelPairs(first);
  const textOf = (label: string) => pairs.find(([name]) => name === label)?.[1] ?? '';
  return crc32(`${textOf('job')}\n${textOf('instance')}`, crc32(tenant));
}

/** TimeSeries of 2.0 => labels_refs:1 uint32* (names and values in turn). */
function referencedPairs(series: Uint8Array, symbols: readonly Uint8Array[]): Pairs {
  const refs: number[] = [];
  eachBytes(series, 1, (content) => {
    const reader = new ProtobufReader();
    reader.begin(content);
    while (reader.position < reader.limit) refs.push(reader.readVarint());
  });
  const text = (ref: number | undefined) => Buffer.from(symbols[ref ?? 0] ?? []).toString();
  return Array.from({ length: refs.length >>> 1 }, (_, index) => [
    text(refs[2 * index]),
    text(refs[2 * index + 1]),
  ]);
}

/** TimeSeries of 1.0 => labels:1 Label*    Label => name:1 string value:2 string */
function labelPairs(series: Uint8Array): Pairs {
  const pairs: (readonly [string, string])[] = [];
  eachBytes(series, 1, (label) => {
    const texts = ['', ''];
    for (const field of [1, 2]) {
      eachBytes(label, field, (content) => {
        texts[field - 1] = Buffer.from(content).toString();
      });
    }
    pairs.push([texts[0]!, texts[1]!]);
  });
  return pairs;
}

function eachBytes(message: Uint8Array, field: number, use: (content: Uint8Array) => void): void {
  const reader = new ProtobufReader();
  reader.begin(message);
  while (reader.position < reader.limit) {
    const tag = reader.readTag();
    if (tag !== ((field << 3) | wireBytes)) {
      reader.skip();
      continue;
    }
    const start = reader.passBytes();
    use(message.subarray(start, reader.position));
  }
}
