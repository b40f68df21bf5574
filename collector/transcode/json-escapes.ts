/**
 * What the escapes of a JSON string stand for: `a\\u00fc` becomes the bytes of `a\u00fc`.
 */
import type { ByteBuffer } from './byte-buffer.ts';

const backslash = 0x5c;

/** What follows a backslash, and what both stand for (RFC 8259, 7); 0 for all others. */
const escapes = new Uint8Array(256);
for (const [letter, text] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t']) {
  escapes[letter.charCodeAt(0)] = text.charCodeAt(0);
}

/**
 * Writes the text of the string [start, end), which a quote ends, to `out`. Returns false where an escape is none of
 * JSON's. Half a surrogate pair becomes U+FFFD, as in any text that becomes UTF-8.
 */
export function unescapeJson(bytes: Uint8Array, start: number, end: number, out: ByteBuffer): boolean {
  out.reset();
  // No escape is shorter than what it stands for.
  out.ensure(end - start);
  const to = out.data.bytes;
  let length = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte !== backslash) {
      to[length++] = byte;
      at++;
      continue;
    }
    const letter = bytes[at + 1];
    if (letter !== 0x75) {
      if (escapes[letter] === 0) return false;
      to[length++] = escapes[letter];
      at += 2;
      continue;
    }
    let code = hexUnit(bytes, at + 2, end);
    if (code < 0) return false;
    at += 6;
    if (code >= 0xd800 && code < 0xe000) {
      const isPair = code < 0xdc00 && at + 1 < end && bytes[at] === backslash && bytes[at + 1] === 0x75;
      const low = isPair ? hexUnit(bytes, at + 2, end) : -1;
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
      } else code = 0xfffd;
    }
    length = writeUtf8(to, length, code);
  }
  out.length = length;
  return true;
}

/** Returns the value of four hexadecimal digits, or -1. */
function hexUnit(bytes: Uint8Array, start: number, end: number): number {
  if (start + 4 > end) return -1;
  let value = 0;
  for (let at = start; at < start + 4; at++) {
    const byte = bytes[at];
    const lower = byte | 0x20;
    if (byte >= 0x30 && byte <= 0x39) value = (value << 4) | (byte - 0x30);
    else if (lower >= 0x61 && lower <= 0x66) value = (value << 4) | (lower - 0x57);
    else return -1;
  }
  return value;
}

function writeUtf8(to: Uint8Array, length: number, code: number): number {
  if (code < 0x80) {
    to[length++] = code;
    return length;
  }
  if (code < 0x800) {
    to[length++] = 0xc0 | (code >> 6);
  } else {
    if (code < 0x10000) to[length++] = 0xe0 | (code >> 12);
    else {
      to[length++] = 0xf0 | (code >> 18);
      to[length++] = 0x80 | ((code >> 12) & 0x3f);
    }
    to[length++] = 0x80 | ((code >> 6) & 0x3f);
  }
  to[length++] = 0x80 | (code & 0x3f);
  return length;
}
