/**
 * The name that a batch has in the tables: who sent what, in 22 characters. The same bytes under the same batch id have
 * the same name, whichever way they come.
 */
import { createHash } from 'node:crypto';
import type { Signal } from '#wire/envelope.ts';

/** 128 bits: that two batches of a table share them does not happen. */
const noteBytes = 16;

export function batchNote(tenant: string, signal: Signal, batchId: string): string {
  return createHash('sha256')
    .update(`${tenant}\n${signal}\n${batchId}`)
    .digest()
    .subarray(0, noteBytes)
    .toString('base64url');
}
