/**
 * The name that a batch has in the tables: when it begins, who sent what. The same bytes under the same batch id have the
 * same name, whichever way they come.
 *
 *   68e3a15c + 22 characters of a hash
 *
 * Notes lie in the order of their names. With the time in front, those of a block and of its repeats are neighbours, and
 * looking a block up reads a granule or two; by hash alone it would be one for each batch, in each part of the day.
 */
import { createHash } from 'node:crypto';
import type { Signal } from '#wire/envelope.ts';
import { firstUnixSecond } from '#wire/first-time.ts';

/** 128 bits: that two batches of a table share them does not happen. */
const hashBytes = 16;

export function batchNote(tenant: string, signal: Signal, batchId: string, bytes: Uint8Array): string {
  const hash = createHash('sha256')
    .update(`${tenant}\n${signal}\n${batchId}`)
    .digest()
    .subarray(0, hashBytes)
    .toString('base64url');
  return firstUnixSecond(signal, bytes).toString(16).padStart(8, '0') + hash;
}
