/**
 * OTLP attributes as text: what the string columns of attributes and bodies hold.
 *
 *   stringValue "a" -> a      intValue -7 -> -7      boolValue true -> true      doubleValue 0.1 -> 0.1
 *   bytesValue -> base64      arrayValue, kvlistValue -> JSON text      no value -> the empty string
 *
 * Strings are not copied: `valueSource` is then the request itself. Inside JSON, OTLP/JSON's rules hold: bytes are
 * base64 strings, NaN and infinities are strings, a missing value is null; integers keep all their digits.
 */
import { DecodeError } from '#model/errors.ts';
import type { ByteView } from '#wire/protobuf/byte-view.ts';
import { type ProtobufReader, wireBytes } from '#wire/protobuf/protobuf-reader.ts';
import { ByteBuffer } from './byte-buffer.ts';

/** Arrays and maps in one another; protobuf's own decoders stop at 100 messages, which is 50 of these. */
export const anyValueDepthMax = 50;
/** Digits of the largest integer below 2^53. */
const intDigitsMax = 16;

const kindNone = 0;
const kindString = 1;
const kindBool = 2;
const kindInt = 3;
const kindDouble = 4;
const kindArray = 5;
const kindMap = 6;
const kindBytes = 7;

const encoder = new TextEncoder();
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class AttributeReader {
  /** The key, in the request. */
  keyStart = 0;
  keyLength = 0;
  /** The value's text: in the request, or in a scratch buffer that the next read overwrites. */
  valueSource: ByteView;
  valueStart = 0;
  valueLength = 0;

  readonly #reader: ProtobufReader;
  readonly #scratch = new ByteBuffer();
  #scratchStart = 0;
  #kind = kindNone;
  #start = 0;
  #end = 0;
  #low = 0;
  #high = 0;

  constructor(reader: ProtobufReader) {
    this.#reader = reader;
    this.valueSource = reader.source;
  }

  /** Reads one KeyValue message, which is [start, end) of the request. */
  readKeyValue(start: number, end: number): void {
    const reader = this.#reader;
    const { bytes } = reader.source;
    // The common form: key and value in this order, both shorter than 128 bytes, and nothing else.
    const shortKeyLength = end - start >= 4 && bytes[start] === 0x0a ? bytes[start + 1] : 0x80;
    const valueAt = start + 4 + shortKeyLength;
    if (
      shortKeyLength < 0x80 &&
      valueAt <= end &&
      end - valueAt < 0x80 &&
      bytes[valueAt - 2] === 0x12 &&
      bytes[valueAt - 1] === end - valueAt
    ) {
      this.keyStart = start + 2;
      this.keyLength = shortKeyLength;
      this.readValue(valueAt, end);
      return;
    }
    reader.seek(start, end);
    let valueStart = 0;
    let valueEnd = 0;
    this.keyStart = start;
    this.keyLength = 0;
    while (reader.position < end) {
      const tag = reader.readTag();
      if (tag === 0x0a) {
        this.keyLength = reader.readLength();
        this.keyStart = reader.position;
        reader.position += this.keyLength;
      } else if (tag === 0x12) {
        const length = reader.readLength();
        valueStart = reader.position;
        valueEnd = valueStart + length;
        reader.position = valueEnd;
      } else reader.skip();
    }
    this.readValue(valueStart, valueEnd);
  }

  /** Reads one AnyValue message, which is [start, end) of the request. */
  readValue(start: number, end: number): void {
    const { source } = this.#reader;
    const shortLength = end - start - 2;
    if (
      shortLength >= 0 &&
      shortLength < 0x80 &&
      source.bytes[start] === 0x0a &&
      source.bytes[start + 1] === shortLength
    ) {
      this.valueSource = source;
      this.valueStart = start + 2;
      this.valueLength = shortLength;
      return;
    }
    this.#scan(start, end);
    if (this.#kind === kindString || this.#kind === kindNone) {
      this.valueSource = source;
      this.valueStart = this.#start;
      this.valueLength = this.#end - this.#start;
      return;
    }
    this.#scratch.reset();
    this.#scratchStart = 0;
    if (this.#kind === kindInt) this.#renderInt();
    else this.#renderText(this.#topLevelText(end));
    this.valueSource = this.#scratch.data;
    this.valueStart = this.#scratchStart;
    this.valueLength = this.#scratch.length - this.#scratchStart;
  }

  /** Finds which value an AnyValue holds. Of several the last counts, as for any protobuf oneof. */
  #scan(start: number, end: number): void {
    const reader = this.#reader;
    reader.seek(start, end);
    this.#kind = kindNone;
    this.#start = start;
    this.#end = start;
    while (reader.position < end) {
      const tag = reader.readTag();
      switch (tag) {
        case 0x0a:
        case 0x2a:
        case 0x32:
        case 0x3a: {
          const length = reader.readLength();
          this.#kind = tag >>> 3;
          this.#start = reader.position;
          this.#end = reader.position + length;
          reader.position = this.#end;
          break;
        }
        case 0x10:
        case 0x18:
          reader.readVarint64();
          this.#keepNumber(tag >>> 3);
          break;
        case 0x21:
          reader.readFixed64();
          this.#keepNumber(kindDouble);
          break;
        default:
          reader.skip();
      }
    }
  }

  #keepNumber(kind: number): void {
    this.#kind = kind;
    this.#low = this.#reader.low;
    this.#high = this.#reader.high;
  }

  /** Decimal digits, written backwards: no string is made for the integers that occur. */
  #renderInt(): void {
    const scratch = this.#scratch;
    const high = this.#high | 0;
    let rest = high * 0x1_0000_0000 + this.#low;
    if (rest > Number.MAX_SAFE_INTEGER || rest < Number.MIN_SAFE_INTEGER) {
      this.#renderText(this.#bigIntText());
      return;
    }
    const isNegative = rest < 0;
    if (isNegative) rest = -rest;
    scratch.ensure(intDigitsMax + 1);
    const bytes = scratch.data.bytes;
    let at = intDigitsMax + 1;
    // Above 32 bits by double division, which is exact here; below by integer division, which is much faster.
    while (rest > 0x7fff_ffff) {
      const next = Math.floor(rest / 10);
      bytes[--at] = 0x30 + (rest - next * 10);
      rest = next;
    }
    let small = rest | 0;
    do {
      const next = (small / 10) | 0;
      bytes[--at] = 0x30 + (small - next * 10);
      small = next;
    } while (small !== 0);
    if (isNegative) bytes[--at] = 0x2d;
    scratch.length = intDigitsMax + 1;
    this.#scratchStart = at;
  }

  #bigIntText(): string {
    return BigInt.asIntN(64, (BigInt(this.#high) << 32n) | BigInt(this.#low)).toString();
  }

  #renderText(text: string): void {
    const scratch = this.#scratch;
    scratch.ensure(text.length * 3);
    scratch.length += encoder.encodeInto(text, scratch.data.bytes.subarray(scratch.length)).written;
  }

  #topLevelText(end: number): string {
    if (this.#kind === kindDouble) return String(this.#double());
    if (this.#kind === kindBytes) return this.#base64();
    return this.#json(end, 1);
  }

  /** Renders the value that was scanned last. `end` is where its AnyValue ends. */
  #json(end: number, depth: number): string {
    switch (this.#kind) {
      case kindString:
        return JSON.stringify(this.#utf8(this.#start, this.#end));
      case kindBool:
        return this.#low !== 0 || this.#high !== 0 ? 'true' : 'false';
      case kindInt:
        return this.#bigIntText();
      case kindDouble: {
        const value = this.#double();
        return Number.isFinite(value) ? String(value) : `"${value}"`;
      }
      case kindBytes:
        return `"${this.#base64()}"`;
      case kindArray:
      case kindMap:
        if (depth > anyValueDepthMax) {
          throw new DecodeError(`a value is nested deeper than ${anyValueDepthMax} levels`, end);
        }
        return this.#kind === kindArray ? this.#jsonArray(depth) : this.#jsonMap(depth);
      default:
        return 'null';
    }
  }

  // ArrayValue => values:AnyValue* (field 1)
  #jsonArray(depth: number): string {
    const items: string[] = [];
    this.#eachNested((start, end) => {
      this.#scan(start, end);
      items.push(this.#json(end, depth + 1));
    });
    return `[${items.join()}]`;
  }

  // KeyValueList => values:KeyValue* (field 1)      KeyValue => key:string (1) value:AnyValue (2)
  #jsonMap(depth: number): string {
    const items: string[] = [];
    this.#eachNested((start, end) => {
      const reader = this.#reader;
      reader.seek(start, end);
      let key = '';
      let value: readonly [number, number] = [start, start];
      while (reader.position < end) {
        const tag = reader.readTag();
        if (tag !== 0x0a && tag !== 0x12) {
          reader.skip();
          continue;
        }
        const length = reader.readLength();
        const from = reader.position;
        reader.position += length;
        if (tag === 0x0a) key = this.#utf8(from, from + length);
        else value = [from, from + length];
      }
      this.#scan(...value);
      items.push(`${JSON.stringify(key)}:${this.#json(value[1], depth + 1)}`);
    });
    return `{${items.join()}}`;
  }

  /** Calls back with the range of each field 1 of the message that was scanned last. */
  #eachNested(read: (start: number, end: number) => void): void {
    const reader = this.#reader;
    const end = this.#end;
    let position = this.#start;
    while (position < end) {
      reader.seek(position, end);
      if (reader.readTag() >>> 3 === 1 && (reader.tag & 7) === wireBytes) {
        const length = reader.readLength();
        position = reader.position + length;
        read(reader.position, position);
      } else {
        reader.skip();
        position = reader.position;
      }
    }
  }

  #double(): number {
    doubleView.setUint32(0, this.#low, true);
    doubleView.setUint32(4, this.#high, true);
    return doubleView.getFloat64(0, true);
  }

  #base64(): string {
    return Buffer.from(this.#reader.source.bytes.subarray(this.#start, this.#end)).toString('base64');
  }

  #utf8(start: number, end: number): string {
    return utf8.decode(this.#reader.source.bytes.subarray(start, end));
  }
}

const doubleView = new DataView(new ArrayBuffer(8));
