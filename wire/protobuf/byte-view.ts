/**
 * A byte range with a DataView over the same bytes: what the hot paths pass around instead of bare arrays, because
 * V8 compiles DataView reads and writes of 4 and 8 bytes to single instructions.
 *
 * One class for input and output, so that every function that takes bytes stays monomorphic.
 */
export class ByteView {
  readonly bytes: Uint8Array;
  readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
}
