/** The batch id of pushed bytes: the sender's own, else a hash of what was sent. */
import { createHash, randomUUID } from 'node:crypto';
import { RefusedError } from '#model/errors.ts';

/** Longer ids would make every deduplication token larger than it needs to be. */
export const batchIdLengthMax = 128;

/** Returns the id that the sender gave, undefined for none. Throws RefusedError on one that cannot be an id. */
export function senderIdentity(header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  if (header.length > batchIdLengthMax || !/^[A-Za-z0-9._:/-]+$/.test(header)) {
    throw new RefusedError(
      `the batch id must be 1 to ${batchIdLengthMax} of the characters A-Z a-z 0-9 . _ : / -`,
    );
  }
  return header;
}

/**
 * A sender that retries the same bytes lands them once, because the same bytes have the same hash. Two requests
 * that are equal to the last bit, timestamps included, are one request. `kind` is the signal, or the foreign format
 * with its parameters: the same bytes mean something else in another one.
 */
export function contentIdentity(tenant: string, kind: string, bytes: Uint8Array): string {
  return `sha256-${createHash('sha256').update(`${tenant}\n${kind}\n`).update(bytes).digest('base64url')}`;
}

/**
 * For bytes without timestamps, which the clock stands in for: two equal bodies are then two honest requests, a second
 * apart, and one id for both would drop the second. The price is that a retry of such bytes lands twice.
 */
export function clockedIdentity(): string {
  return `clock-${randomUUID()}`;
}
