/** A JSON string as a field of protobuf: its bytes are copied where it has no escapes, as most have not. */
import type { ByteWriter } from '../protobuf/byte-writer.ts';
import { writeBytesField, writeTextField } from '../protobuf/message-writer.ts';
import type { JsonCursor } from './json-cursor.ts';

/** Writes the cursor's token, which must be a string. */
export function writeTokenField(writer: ByteWriter, field: number, cursor: JsonCursor): void {
  if (cursor.hasEscape) writeTextField(writer, field, cursor.text());
  else writeBytesField(writer, field, cursor.bytes.subarray(cursor.start, cursor.end));
}
