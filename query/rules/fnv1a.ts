/** FNV-1a, 64 bits: Prometheus and Alertmanager name label sets and spread rule groups with it. */

const offsetBasis = 0xcbf29ce484222325n;
const prime = 0x100000001b3n;
const mask = 0xffff_ffff_ffff_ffffn;

export function fnv1a64(bytes: Uint8Array): bigint {
  let hash = offsetBasis;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * prime) & mask;
  return hash;
}
