/** A 32-bit hash of bytes (FNV-1a with murmur3's finalizer): spreads evenly, the same on every machine, not for secrets. */

/** Returns an unsigned number. Equal bytes and seeds have equal hashes. */
export function hashRange(bytes: Uint8Array, from: number, to: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
