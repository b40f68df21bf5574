/**
 * Attributes and bodies of records -> columns of text: where most of a request's bytes go.
 *
 * What nearly every attribute looks like is written here from the request's bytes at once: a key and a value below 128
 * bytes, the value a string or a small integer. AttributeReader reads everything else.
 *
 *   attribute => tag:u8 length:u8 0x0a keyLength:u8 key 0x12 valueLength:u8 value
 *   value     => 0x0a length:u8 text | 0x18 varint
 */
import type { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { AttributeReader } from './any-value.ts';
import type { MapColumn } from './column-map.ts';
import type { StringColumn } from './column-string.ts';

/** An empty key and an empty string, with their tags and lengths, in a field. */
const shortestFieldBytes = 8;

export class AttributeWriter {
  readonly #reader: ProtobufReader;
  readonly #values: AttributeReader;

  constructor(reader: ProtobufReader, values: AttributeReader) {
    this.#reader = reader;
    this.#values = values;
  }

  /**
   * Appends to the open row the KeyValue field whose tag was just read, and those with the same tag that follow it at
   * once: in the common form four bytes say what comes. The reader is then after the last that was written.
   */
  writeRun(attrs: MapColumn<StringColumn>, tag: number): void {
    const reader = this.#reader;
    const { source, limit } = reader;
    const { view } = source;
    const first = reader.position - 1;
    let at = first;
    while (at + shortestFieldBytes <= limit) {
      // tag length 0x0a keyLength, at once
      const head = view.getInt32(at, true);
      if ((head & 0x80_ff_80_ff) !== (0x0a_00_00 | tag)) break;
      const keyLength = head >>> 24;
      const end = at + 2 + ((head >> 8) & 0x7f);
      const valueAt = at + 6 + keyLength;
      const valueLength = end - valueAt;
      if (end > limit || valueLength < 2) break;
      // 0x12 valueLength tag, and the text's length or the integer's first byte
      const valueHead = view.getInt32(valueAt - 2, true);
      const isText = valueHead === (0x0a_00_12 | (valueLength << 8) | ((valueLength - 2) << 24));
      const isInteger = (valueHead & 0xff_ff_ff) === (0x18_00_12 | (valueLength << 8));
      const integer = isInteger ? smallVarint(source.bytes, valueAt + 1, end) : -1;
      if (!isText && integer < 0) break;
      attrs.pushEncodedKey(source, at + 3, keyLength);
      if (isText) attrs.values.pushEncoded(source, valueAt + 1, valueLength - 1);
      else attrs.values.pushInteger(integer);
      at = end;
    }
    if (at === first) this.#writeOne(attrs);
    else reader.position = at;
  }

  /** Appends the KeyValue whose length comes next, in whatever form. */
  #writeOne(attrs: MapColumn<StringColumn>): void {
    const reader = this.#reader;
    const { limit } = reader;
    const values = this.#values;
    const start = reader.passBytes();
    const end = reader.position;
    values.readKeyValue(start, end);
    attrs.pushKey(reader.source, values.keyStart, values.keyLength);
    attrs.values.pushRange(values.valueSource, values.valueStart, values.valueLength);
    reader.seek(end, limit);
  }

  /** Appends the text of the AnyValue message [start, end) of the request; AttributeReader has it unless stringLength does. */
  writeText(column: StringColumn, start: number, end: number): void {
    const { source } = this.#reader;
    const { bytes } = source;
    const length = end - start - 2;
    if (length >= 0 && bytes[start] === 0x0a && isLength(bytes, start + 1, length)) {
      column.pushEncoded(source, start + 1, length + 1);
      return;
    }
    const values = this.#values;
    values.readValue(start, end);
    column.pushRange(values.valueSource, values.valueStart, values.valueLength);
  }
}

/**
 * Returns the length of the string that ends the AnyValue message [start, end), where that is all it has, below 16 KiB
 * and in the shortest form; else -1.
 */
export function stringLength(bytes: Uint8Array, start: number, end: number): number {
  const room = end - start - 2;
  if (room < 0 || bytes[start] !== 0x0a || !isLength(bytes, start + 1, room)) return -1;
  return room < 0x80 ? room : room - 1;
}

/** Says whether the `room` bytes after `at`, and it, are a length of one or two bytes and just as many bytes of text. */
function isLength(bytes: Uint8Array, at: number, room: number): boolean {
  if (room < 0x80) return bytes[at] === room;
  const length = room - 1;
  return length < 0x4000 && bytes[at] === ((length & 0x7f) | 0x80) && bytes[at + 1] === length >> 7;
}

/** Returns the varint that is [start, end) where it has four bytes at most, so is below 2^28; else -1. */
function smallVarint(bytes: Uint8Array, start: number, end: number): number {
  if (end - start > 4) return -1;
  let value = 0;
  const last = end - 1;
  for (let at = start, shift = 0; at < last; at++, shift += 7) {
    if (bytes[at] < 0x80) return -1;
    value |= (bytes[at] & 0x7f) << shift;
  }
  return bytes[last] < 0x80 ? value | (bytes[last] << (7 * (last - start))) : -1;
}
