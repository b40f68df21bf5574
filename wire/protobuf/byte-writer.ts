/**
 * A growing byte buffer with a position, and the protobuf primitives that write to it.
 *
 *   writer.reserve(3); writer.bytes[writer.position++] = 0x08; writeVarint(writer, 300)  ->  08 ac 02
 *
 * State only lives in ByteWriter; the encoders are free functions, so that they stay monomorphic. A caller must
 * `reserve` what it is about to write (capacity is then checked once per record, not once per byte).
 */

/** copyBytes moves 8 bytes at a time and may touch this many bytes past the end of both sides. */
export const copySlackBytes = 8;

/** The longest varint: 64 bits in groups of 7. */
export const varintBytesMax = 10;

/** Bytes with the view that copyBytes reads them by. Must have copySlackBytes behind the last byte that is copied. */
export interface ByteSource {
  readonly bytes: Buffer;
  readonly view: DataView;
}

/** How many bytes a writer may hold, and what is thrown for more: bounds what is made of somebody else's input. */
export interface WriterLimit {
  readonly bytesMax: number;
  readonly error: () => Error;
}

const noLimit: WriterLimit = {
  bytesMax: Number.POSITIVE_INFINITY,
  error: () => new Error('BUG: a writer without a limit was full'),
};

export class ByteWriter implements ByteSource {
  bytes: Buffer;
  view: DataView;
  position = 0;
  readonly #limit: WriterLimit;

  constructor(capacityBytes = 4096, limit = noLimit) {
    this.bytes = Buffer.allocUnsafeSlow(Math.min(capacityBytes, limit.bytesMax) + copySlackBytes);
    this.view = viewOf(this.bytes);
    this.#limit = limit;
  }

  /** Makes room for `byteCount` more bytes. Throws the limit's error where that is over it. */
  reserve(byteCount: number): void {
    const needed = this.position + byteCount + copySlackBytes;
    if (needed <= this.bytes.length) return;
    const lengthMax = this.#limit.bytesMax + copySlackBytes;
    if (needed > lengthMax) throw this.#limit.error();
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(this.bytes.length * 2, lengthMax)));
    grown.set(this.bytes.subarray(0, this.position));
    this.bytes = grown;
    this.view = viewOf(grown);
  }

  /** Forgets the bytes and keeps the memory. */
  clear(): void {
    this.position = 0;
  }

  /** The bytes written so far; valid until the next write. */
  written(): Buffer {
    return this.bytes.subarray(0, this.position);
  }
}

/** Wraps bytes so that copyBytes can read all but the last copySlackBytes of them. */
export function byteSource(bytes: Buffer): ByteSource {
  return { bytes, view: viewOf(bytes) };
}

/** Up to this length a loop of 8-byte moves beats the call into `set` (measured: about even at 200 to 400). */
const shortCopyBytesMax = 256;

/** Appends source[from, to). Must be reserved. */
export function copyBytes(writer: ByteWriter, source: ByteSource, from: number, to: number): void {
  if (to - from > shortCopyBytesMax) {
    writer.bytes.set(source.bytes.subarray(from, to), writer.position);
    writer.position += to - from;
  } else copyWords(writer, source.view, from, to);
}

/** As copyBytes, for what is known to be short: some 200 bytes. */
export function copyWords(writer: ByteWriter, source: DataView, from: number, to: number): void {
  const end = writer.position + (to - from);
  const target = writer.view;
  let read = from;
  for (let write = writer.position; write < end; write += 8) {
    target.setBigInt64(write, source.getBigInt64(read, true), true);
    read += 8;
  }
  writer.position = end;
}

/** Appends all bytes, for which it makes room. */
export function appendBytes(writer: ByteWriter, bytes: Uint8Array): void {
  writer.reserve(bytes.length);
  writer.bytes.set(bytes, writer.position);
  writer.position += bytes.length;
}

/** Eight bytes, given as their low and high word: fixed64, or a double whose bits matter. Must be reserved. */
export function writeWords(writer: ByteWriter, low: number, high: number): void {
  writer.view.setUint32(writer.position, low, true);
  writer.view.setUint32(writer.position + 4, high, true);
  writer.position += 8;
}

/** Must be reserved: 8 bytes. */
export function writeDouble(writer: ByteWriter, value: number): void {
  writer.view.setFloat64(writer.position, value, true);
  writer.position += 8;
}

/** A varint of 64 bits, given as unsigned low and high word. Must be reserved: at most varintBytesMax. */
export function writeVarintWords(writer: ByteWriter, low: number, high: number): void {
  const { bytes } = writer;
  let position = writer.position;
  let [restLow, restHigh] = [low, high];
  while (restHigh !== 0 || restLow > 0x7f) {
    bytes[position++] = (restLow & 0x7f) | 0x80;
    restLow = ((restLow >>> 7) | (restHigh << 25)) >>> 0;
    restHigh >>>= 7;
  }
  bytes[position++] = restLow;
  writer.position = position;
}

/** A signed whole number of at most 53 bits; a negative one takes ten bytes (protobuf's int64). Must be reserved. */
export function writeInt64(writer: ByteWriter, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000);
  if (value >= 0) writeVarint(writer, value);
  else writeVarintWords(writer, value - high * 0x1_0000_0000, high >>> 0);
}

/** A protobuf varint of a whole number below 2^53. Must be reserved: at most 8 bytes. */
export function writeVarint(writer: ByteWriter, value: number): void {
  const { bytes } = writer;
  let position = writer.position;
  let rest = value;
  for (; rest > 0x7fffffff; rest = Math.floor(rest / 128)) bytes[position++] = (rest % 128) | 0x80;
  for (; rest > 0x7f; rest >>>= 7) bytes[position++] = (rest & 0x7f) | 0x80;
  bytes[position++] = rest;
  writer.position = position;
}

/** How many bytes writeVarint takes for a value. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  let count = 4;
  for (let rest = Math.floor(value / 0x10000000); rest > 0; rest = Math.floor(rest / 128)) count++;
  return count;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}
