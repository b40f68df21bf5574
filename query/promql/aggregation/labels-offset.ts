/** Where a series stands among all, from 0 to 1, by a hash of its labels: xxHash64, as Prometheus takes it. */
import type { Labels } from '#model/labels.ts';

const mask = (1n << 64n) - 1n;
const primes = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;

export function labelsOffset(labels: Labels): number {
  return Number(xxHash64(encode(labels))) / 2 ** 64;
}

/** Each name and value with its length before it, which is how Prometheus keeps labels. */
function encode(labels: Labels): Buffer {
  const parts: Buffer[] = [];
  for (const pair of labels) {
    for (const text of pair) {
      const bytes = Buffer.from(text);
      // A length of 255 and more takes three bytes after a marker.
      parts.push(
        bytes.length < 255
          ? Buffer.of(bytes.length)
          : Buffer.of(255, bytes.length & 255, (bytes.length >> 8) & 255, bytes.length >> 16),
        bytes,
      );
    }
  }
  return Buffer.concat(parts);
}

function rotate(value: bigint, bits: bigint): bigint {
  return ((value << bits) | (value >> (64n - bits))) & mask;
}

function round(state: bigint, input: bigint): bigint {
  return (rotate((state + input * primes[1]) & mask, 31n) * primes[0]) & mask;
}

/** https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, with a seed of 0. */
function xxHash64(bytes: Buffer): bigint {
  let at = 0;
  let hash: bigint;
  if (bytes.length >= 32) {
    const states = [(primes[0] + primes[1]) & mask, primes[1], 0n, (-primes[0] + (1n << 64n)) & mask];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let lane = 0; lane < 4; lane++) {
        states[lane] = round(states[lane], bytes.readBigUInt64LE(at + 8 * lane));
      }
    }
    const [a, b, c, d] = states;
    hash = (rotate(a, 1n) + rotate(b, 7n) + rotate(c, 12n) + rotate(d, 18n)) & mask;
    for (const state of states) hash = ((hash ^ round(0n, state)) * primes[0] + primes[3]) & mask;
  } else hash = primes[4];
  hash = (hash + BigInt(bytes.length)) & mask;
  for (; at + 8 <= bytes.length; at += 8) {
    hash = (rotate(hash ^ round(0n, bytes.readBigUInt64LE(at)), 27n) * primes[0] + primes[3]) & mask;
  }
  if (at + 4 <= bytes.length) {
    hash =
      (rotate(hash ^ ((BigInt(bytes.readUInt32LE(at)) * primes[0]) & mask), 23n) * primes[1] + primes[2]) &
      mask;
    at += 4;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes[at]) * primes[4]) & mask), 11n) * primes[0]) & mask;
  }
  hash = ((hash ^ (hash >> 33n)) * primes[1]) & mask;
  hash = ((hash ^ (hash >> 29n)) * primes[2]) & mask;
  return hash ^ (hash >> 32n);
}
