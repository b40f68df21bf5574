/** The batch id of pushed bytes: the sender's own, else a hash of what was sent. */
import { createHash } from 'node:crypto';
import { RefusedError } from '#model/errors.ts';
import type { Signal } from '../envelope.ts';

/** Longer ids would make every deduplication token larger than it needs to be. */
export const batchIdLengthMax = 128;

/**
 * A sender that retries the same bytes lands them once, because the same bytes have the same hash. Two requests
 * that are equal to the last bit, timestamps included, are one request.
 */
export function batchIdentity(
  header: string | undefined,
  tenant: string,
  signal: Signal,
  bytes: Uint8Array,
): string {
  if (header !== undefined && header !== '') {
    if (header.length > batchIdLengthMax || !/^[A-Za-z0-9._:/-]+$/.test(header)) {
      throw new RefusedError(
        `the batch id must be 1 to ${batchIdLengthMax} of the characters A-Z a-z 0-9 . _ : / -`,
      );
    }
    return header;
  }
  return `sha256-${createHash('sha256').update(`${tenant}\n${signal}\n`).update(bytes).digest('base64url')}`;
}
