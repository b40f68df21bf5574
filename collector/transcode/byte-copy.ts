/**
 * Copies short byte ranges between buffers: the innermost loop of every transcoder.
 *
 * Up to wordCopyBytesMax it moves 8 bytes at a time through DataView BigInt64, which V8 keeps in a register (no BigInt
 * is created); a call of set() costs 3 to 5 times as much at these lengths. Floats would do, but may change NaNs.
 */
import type { ByteView } from '#wire/protobuf/byte-view.ts';

/** Measured: from here on one call of set() is cheaper than the loop; between 200 and 400 it makes no difference. */
const wordCopyBytesMax = 200;
/** What a copy may write past its end, and read past its source. */
export const copySlackBytes = 8;

/**
 * Copies `length` bytes. `to + length + copySlackBytes` must be inside the target: up to 7 bytes after the copy are
 * overwritten with anything. The source needs no slack.
 */
export function copyBytes(
  target: ByteView,
  to: number,
  source: ByteView,
  from: number,
  length: number,
): void {
  if (length > wordCopyBytesMax || from + length + copySlackBytes > source.bytes.length) {
    target.bytes.set(source.bytes.subarray(from, from + length), to);
    return;
  }
  const targetView = target.view;
  const sourceView = source.view;
  const end = from + length;
  while (from < end) {
    targetView.setBigInt64(to, sourceView.getBigInt64(from, true), true);
    from += 8;
    to += 8;
  }
}

/** Says whether two ranges of one length hold the same bytes. */
export function equalBytes(a: ByteView, aFrom: number, b: ByteView, bFrom: number, length: number): boolean {
  if (length < 4) {
    for (let i = 0; i < length; i++) if (a.bytes[aFrom + i] !== b.bytes[bFrom + i]) return false;
    return true;
  }
  const aView = a.view;
  const bView = b.view;
  const last = length - 4;
  for (let i = 0; i < last; i += 4) {
    if (aView.getInt32(aFrom + i, true) !== bView.getInt32(bFrom + i, true)) return false;
  }
  return aView.getInt32(aFrom + last, true) === bView.getInt32(bFrom + last, true);
}

/** Orders two ranges by their bytes, a prefix before what it starts: the order of canonical labels. */
export function compareBytes(
  source: ByteView,
  aFrom: number,
  aLength: number,
  bFrom: number,
  bLength: number,
): number {
  const bytes = source.bytes;
  const common = Math.min(aLength, bLength);
  for (let i = 0; i < common; i++) {
    const difference = bytes[aFrom + i] - bytes[bFrom + i];
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}
