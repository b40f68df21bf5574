/** Takes the fields of a body, one call each. Names and sources are valid during the call only. */
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';

export interface FieldSink {
  /** The value is the text source[from, to). */
  text(name: Buffer, source: ByteSource, from: number, to: number): void;
  /** A number that a double holds exactly, or as well as it can; and its text. */
  number(name: Buffer, value: number, source: ByteSource, from: number, to: number): void;
  boolean(name: Buffer, isTrue: boolean): void;
}
