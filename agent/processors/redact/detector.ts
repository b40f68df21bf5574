/**
 * What a detector of secrets is: a scanner that is asked only where a byte stands that begins, or is within, what it looks
 * for. A text in which none of these bytes stand costs one look-up per byte.
 */

/** Names in configuration, in masks (`[email]`) and in counters. */
export const detectorNames = [
  'credit_card',
  'email',
  'ipv4',
  'ipv6',
  'jwt',
  'aws_access_key',
  'aws_secret_key',
  'bearer_token',
  'private_key',
] as const;
export type DetectorName = (typeof detectorNames)[number];

/** What a detector found: bytes[from, to) is the secret, and nothing before `from` may be taken to be a part of it. */
export interface Finding {
  from: number;
  to: number;
}

export interface Detector {
  readonly name: DetectorName;
  /** Bytes at which it is asked. */
  readonly triggers: string;
  /** Bytes of which one must follow; undefined for any. */
  readonly followers?: string;
  /** Asked only where no letter or digit stands before. */
  readonly isAtWordStart: boolean;
  /**
   * Whether a secret is at bytes[at], within bytes[from, to). Fills `found` and returns true, where it is. Looks at a
   * bounded number of bytes, or at such that the caller then passes over.
   */
  find(bytes: Uint8Array, from: number, at: number, to: number, found: Finding): boolean;
}

export const digitBit = 1;
export const letterBit = 2;
export const hexBit = 4;
/** Letters, digits and what base64url has besides. */
export const tokenBit = 8;
/** Of the local part of an address. */
export const mailBit = 16;
/** Standard base64. */
export const base64Bit = 32;

/** What each byte is, as a sum of bits. */
export const classes = new Uint8Array(256);
for (let code = 0; code < 128; code++) {
  const text = String.fromCharCode(code);
  if (/[0-9]/.test(text)) classes[code] |= digitBit;
  if (/[A-Za-z]/.test(text)) classes[code] |= letterBit;
  if (/[0-9A-Fa-f]/.test(text)) classes[code] |= hexBit;
  if (/[A-Za-z0-9_-]/.test(text)) classes[code] |= tokenBit;
  if (/[A-Za-z0-9._%+-]/.test(text)) classes[code] |= mailBit;
  if (/[A-Za-z0-9/+=]/.test(text)) classes[code] |= base64Bit;
}

/** Whether bytes[at] is there and is one of `bits`. */
export function is(bytes: Uint8Array, at: number, to: number, bits: number): boolean {
  return at < to && (classes[bytes[at]] & bits) !== 0;
}

/** Returns where bytes that are one of `bits` end, at most `max` of them. */
export function runEnd(bytes: Uint8Array, at: number, to: number, bits: number, max: number): number {
  const end = Math.min(to, at + max);
  let position = at;
  while (position < end && (classes[bytes[position]] & bits) !== 0) position++;
  return position;
}

/** Whether the word, in lower case, stands at `at` in any case. */
export function isWordAt(bytes: Uint8Array, at: number, to: number, word: string): boolean {
  if (at + word.length > to) return false;
  for (let index = 0; index < word.length; index++) {
    if ((bytes[at + index] | 0x20) !== (word.charCodeAt(index) | 0x20)) return false;
  }
  return true;
}

/** Whether the text stands at `at`, exactly. */
export function isTextAt(bytes: Uint8Array, at: number, to: number, text: string): boolean {
  if (at < 0 || at + text.length > to) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}
