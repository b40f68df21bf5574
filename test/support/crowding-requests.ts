/** Log requests that are small on the wire and large, or slow, in a block. */
import { hash32 } from '#collector/transcode/byte-hash.ts';
import { textBytes } from '#collector/transcode/resource-scope.ts';
import { encodeLogsRequest } from './naive/otlp-proto.ts';

/** Two requests of so many keys exceed the 1,024 that a dictionary looks at for one key. */
const keysPerRequest = 600;
/** Keys that agree in these bits of their hash share a slot in a dictionary of all keys of two requests. */
const slotMask = 0xfff;

const key = textBytes('key-00000000');
function nextCollidingKey(): string {
  const { bytes } = key;
  do {
    let at = bytes.length - 1;
    for (; bytes[at] === 0x39; at--) bytes[at] = 0x30;
    bytes[at]++;
  } while ((hash32(key, 0, bytes.length) & slotMask) !== 0);
  return Buffer.from(bytes).toString();
}
const keySets: string[][] = [];

/** One record whose resource has attributes with colliding names, others for each `set`. Any set fits alone, no two do. */
export function collidingLogs(set: number, body: string, unixMs: number): Uint8Array {
  while (keySets.length <= set) keySets.push(Array.from({ length: keysPerRequest }, nextCollidingKey));
  return encodeLogsRequest({
    resourceLogs: [
      {
        resource: { attributes: keySets[set]!.map((name) => ({ key: name, value: { stringValue: 'v' } })) },
        scopeLogs: [{ logRecords: [{ timeUnixNano: `${unixMs}000000`, body: { stringValue: body } }] }],
      },
    ],
  });
}

/** Resource { attributes { } * count } beside `count` empty records: 96 KB that would become 576 million map entries. */
export function expandingLogs(count = 24_000): Uint8Array {
  const repeated = (tag: number) => Array.from({ length: count }, () => [tag, 0]).flat();
  const group = [...message(0x0a, repeated(0x0a)), ...message(0x12, repeated(0x12))];
  return Uint8Array.from(message(0x0a, group));
}

function message(tag: number, bytes: readonly number[]): number[] {
  return [tag, ...varint(bytes.length), ...bytes];
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >> 7)];
}
