/**
 * Undoes the escapes of a JSON string (RFC 8259 section 7), from bytes to UTF-8 bytes.
 */
import type { ByteSource, ByteWriter } from '#wire/protobuf/byte-writer.ts';

const quote = 0x22;
const backslash = 0x5c;
const letterU = 0x75;

/** What stands for `\b`, `\n` and so on; 0: no such escape. */
const simpleEscapes = new Uint8Array(128);
for (const [letter, byte] of [
  ['"', 0x22],
  ['\\', 0x5c],
  ['/', 0x2f],
  ['b', 0x08],
  ['f', 0x0c],
  ['n', 0x0a],
  ['r', 0x0d],
  ['t', 0x09],
] as const) {
  simpleEscapes[letter.charCodeAt(0)] = byte;
}

const replacementCharacter = 0xfffd;

/**
 * Appends the text of the string whose first character is at `from`. Returns the position of its closing quote, or
 * -1 where [from, to) holds none or an escape is broken. A lone surrogate becomes U+FFFD, as in JSON.parse then UTF-8.
 */
export function unescapeJson({ bytes }: ByteSource, from: number, to: number, text: ByteWriter): number {
  // An escape is never shorter than what it stands for.
  text.reserve(to - from);
  const target = text.bytes;
  let write = text.position;
  let read = from;
  while (read < to) {
    const byte = bytes[read];
    if (byte === quote) {
      text.position = write;
      return read;
    }
    if (byte !== backslash) {
      target[write++] = byte;
      read++;
      continue;
    }
    if (read + 1 >= to) return -1;
    const letter = bytes[read + 1];
    if (letter !== letterU) {
      const plain = letter < 128 ? simpleEscapes[letter] : 0;
      if (plain === 0) return -1;
      target[write++] = plain;
      read += 2;
      continue;
    }
    let code = hexCode(bytes, read + 2, to);
    if (code === -1) return -1;
    read += 6;
    if (code >= 0xd800 && code <= 0xdfff) {
      const low =
        bytes[read] === backslash && bytes[read + 1] === letterU ? hexCode(bytes, read + 2, to) : -1;
      if (code < 0xdc00 && low >= 0xdc00 && low <= 0xdfff) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        read += 6;
      } else {
        code = replacementCharacter;
      }
    }
    write = writeCodePoint(target, write, code);
  }
  return -1;
}

/** The value of four hex digits, or -1. */
function hexCode(bytes: Buffer, from: number, to: number): number {
  if (from + 4 > to) return -1;
  let code = 0;
  for (let index = from; index < from + 4; index++) {
    const byte = bytes[index];
    const letter = byte | 0x20;
    const digit =
      byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
    if (digit === -1) return -1;
    code = code * 16 + digit;
  }
  return code;
}

function writeCodePoint(target: Buffer, from: number, code: number): number {
  let write = from;
  if (code < 0x80) {
    target[write++] = code;
  } else if (code < 0x800) {
    target[write++] = 0xc0 | (code >> 6);
    target[write++] = 0x80 | (code & 0x3f);
  } else if (code < 0x10000) {
    target[write++] = 0xe0 | (code >> 12);
    target[write++] = 0x80 | ((code >> 6) & 0x3f);
    target[write++] = 0x80 | (code & 0x3f);
  } else {
    target[write++] = 0xf0 | (code >> 18);
    target[write++] = 0x80 | ((code >> 12) & 0x3f);
    target[write++] = 0x80 | ((code >> 6) & 0x3f);
    target[write++] = 0x80 | (code & 0x3f);
  }
  return write;
}
