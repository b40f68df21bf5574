/** A cursor over the bytes of one finished block, which are allocated once, at their exact size. */
import type { ByteBuffer } from './byte-buffer.ts';

export class BlockWriter {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #position = 0;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  writeVarint(value: number): void {
    while (value >= 0x80) {
      this.bytes[this.#position++] = (value % 0x80) | 0x80;
      value = Math.floor(value / 0x80);
    }
    this.bytes[this.#position++] = value;
  }

  /** An unsigned number below 2^53, as 8 bytes little-endian. */
  writeUint64(value: number): void {
    this.#view.setUint32(this.#position, value % 0x1_0000_0000, true);
    this.#view.setUint32(this.#position + 4, Math.floor(value / 0x1_0000_0000), true);
    this.#position += 8;
  }

  writeBytes(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#position);
    this.#position += bytes.length;
  }

  writeBuffer(buffer: ByteBuffer): void {
    this.writeBytes(buffer.data.bytes.subarray(0, buffer.length));
  }

  /** Throws where the sizes that the columns announced were wrong. */
  finish(): Uint8Array<ArrayBuffer> {
    if (this.#position !== this.bytes.length) {
      throw new Error(`BUG: a block of ${this.bytes.length} bytes was written with ${this.#position}`);
    }
    return this.bytes;
  }
}

/** How many bytes writeVarint takes for a value. */
export function varintBytes(value: number): number {
  let bytes = 1;
  while (value >= 0x80) {
    value = Math.floor(value / 0x80);
    bytes++;
  }
  return bytes;
}
