/**
 * Keeps record bodies valid UTF-8, which protobuf strings must be.
 */
import { type ByteSource, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';

/** Returns the text with each invalid sequence as U+FFFD. */
export function repairUtf8(
  bytes: Buffer,
  from: number,
  to: number,
): ByteSource & { readonly textBytes: number } {
  const text = bytes.toString('utf8', from, to);
  const textBytes = Buffer.byteLength(text);
  const repaired = Buffer.allocUnsafe(textBytes + copySlackBytes);
  repaired.write(text);
  return { ...byteSource(repaired), textBytes };
}

/** The longest tail of a UTF-8 sequence that can stand before a cut. */
const continuationBytesMax = 3;

/** Moves a cut position back to the start of the UTF-8 sequence that it would split; never below from + 1. */
export function utf8Boundary(bytes: Buffer, from: number, cut: number): number {
  let position = cut;
  const lowest = Math.max(from + 1, cut - continuationBytesMax);
  while (position > lowest && (bytes[position] & 0xc0) === 0x80) position--;
  return (bytes[position] & 0xc0) === 0x80 ? cut : position;
}
