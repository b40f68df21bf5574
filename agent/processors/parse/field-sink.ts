/** Takes the fields of a body, one call each. Names and sources are valid during the call only. */
import { type ByteSource, type ByteWriter, copyBytes } from '#wire/protobuf/byte-writer.ts';

/** What was written to it is the name. */
export type FieldName = ByteWriter;

/** Makes source[from, to) the name. */
export function setName(name: FieldName, source: ByteSource, from: number, to: number): void {
  name.clear();
  name.reserve(to - from);
  copyBytes(name, source, from, to);
}

export interface FieldSink {
  /** The value is the text source[from, to). */
  text(name: FieldName, source: ByteSource, from: number, to: number): void;
  /** A number that a double holds exactly, or as well as it can; and its text. */
  number(name: FieldName, value: number, source: ByteSource, from: number, to: number): void;
  boolean(name: FieldName, isTrue: boolean): void;
}
