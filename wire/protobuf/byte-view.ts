/**
 * A byte range with a DataView over the same bytes: what the hot paths pass around instead of bare arrays, because
 * V8 compiles DataView reads and writes of 4 and 8 bytes to single instructions.
 *
 * One class for input and output, so that every function that takes bytes stays monomorphic.
 */
export class ByteView {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** Of `bytes`, as a plain field: asking a typed array for its length costs five loads and a check for detachment. */
  readonly length: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.length = bytes.length;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
