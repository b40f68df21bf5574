/** Damages bytes the way networks, disks, buggy senders and attackers do. Seeded: the same numbers, the same damage. */
import type { Lcg } from '../support/lcg.ts';

/** What has broken decoders before. */
const nasty: readonly Uint8Array[] = [
  // A length of 2^31, of 2^32 - 1, and a varint that never ends.
  Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x08),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f),
  new Uint8Array(11).fill(0xff),
  // What follows a blank line would be SQL to a careless insert.
  Buffer.from('\n\nDROP DATABASE sonde\n'),
  new Uint8Array(9),
  Buffer.from('\0'),
  Buffer.from('"}],"\\'),
  // Nesting without an end, half a surrogate pair, numbers that no double or integer holds.
  Buffer.from('['.repeat(2000)),
  Buffer.from('{"a":'.repeat(500)),
  Buffer.from('"\\ud800"'),
  Buffer.from('1e400'),
  Buffer.from('-18446744073709551616'),
  Uint8Array.of(0xf0, 0x9f, 0x98),
  Uint8Array.of(0xed, 0xa0, 0x80),
];

/** Returns damaged bytes of at most `bytesMax`. `other` is another input of the same kind. */
export function mutate(random: Lcg, input: Uint8Array, other: Uint8Array, bytesMax: number): Uint8Array {
  let bytes = Uint8Array.from(input);
  for (let count = 1 + random.int(4); count > 0; count--) bytes = mutateOnce(random, bytes, other);
  return bytes.subarray(0, bytesMax).slice();
}

function mutateOnce(random: Lcg, bytes: Uint8Array<ArrayBuffer>, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const at = random.int(bytes.length + 1);
  const length = random.int(Math.min(64, bytes.length - at + 1));
  switch (random.int(7)) {
    case 0:
      return bytes.slice(0, at);
    case 1:
      for (let i = random.int(8); i >= 0 && bytes.length > 0; i--)
        bytes[random.int(bytes.length)] = random.int(256);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] ^= 1 << random.int(8);
      return bytes;
    case 3:
      return joined(bytes.subarray(0, at), random.pick(nasty), bytes.subarray(at + length));
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at, at + length), bytes.subarray(at));
    case 5:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    default:
      return joined(bytes.subarray(0, at), other.subarray(random.int(other.length + 1)));
  }
}

function joined(...pieces: Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(pieces));
}
