/**
 * Protobuf bytes as lines for a person, down to where they go wrong:
 *
 *   000000  resourceLogs (1), 57 bytes
 *   000002    scopeLogs (2), 40 bytes
 *   000004      field 99: "abc"
 *   00000b  ! a varint runs past the end of its message at byte 11
 *
 * Bounded in lines and in what a line holds: the first lines, and the last ones before the fault.
 */
import { isUtf8 } from 'node:buffer';
import { DecodeError } from '#model/errors.ts';
import type { FieldShape, MessageShape } from '../otlp-json/message-shape.ts';
import { ProtobufReader, wireBytes, wireFixed64, wireVarint } from './protobuf-reader.ts';
import { messageDepthMax } from './structure.ts';

export interface FieldDump {
  readonly lines: readonly string[];
  /** Where and why the bytes could not be read on; undefined where they could. */
  readonly fault: DecodeError | undefined;
}

const tailLinesMax = 20;
const valueCharactersMax = 100;
const valueBytesMax = 48;

/** `shape` gives names to the fields that it knows. */
export function dumpFields(bytes: Uint8Array, shape: MessageShape | undefined, linesMax: number): FieldDump {
  const dump = new Dump(linesMax);
  const reader = new ProtobufReader();
  reader.begin(bytes);
  try {
    dump.message(reader, shape, 0);
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { lines: [...dump.lines(), `${offsetText(error.position)}  ! ${error.message}`], fault: error };
  }
  return { lines: dump.lines(), fault: undefined };
}

class Dump {
  readonly #linesMax: number;
  readonly #head: string[] = [];
  readonly #tail: string[] = [];
  #count = 0;

  constructor(linesMax: number) {
    this.#linesMax = linesMax;
  }

  lines(): string[] {
    const left = this.#count - this.#head.length - this.#tail.length;
    return [...this.#head, ...(left > 0 ? [`        ... ${left} more fields`] : []), ...this.#tail];
  }

  message(reader: ProtobufReader, shape: MessageShape | undefined, depth: number): void {
    if (depth > messageDepthMax) {
      throw new DecodeError(`messages are nested deeper than ${messageDepthMax}`, reader.position);
    }
    while (reader.position < reader.limit) {
      const start = reader.position;
      const tag = reader.readTag();
      const field = shape?.fields.find(({ number }) => number === tag >>> 3);
      const name = field === undefined ? `field ${tag >>> 3}` : `${field.name} (${tag >>> 3})`;
      const prefix = `${offsetText(start)}  ${'  '.repeat(depth)}${name}`;
      if ((tag & 7) === wireBytes && field?.message !== undefined) {
        const outer = reader.enter();
        this.#add(`${prefix}, ${reader.limit - reader.position} bytes`);
        this.message(reader, field.message, depth + 1);
        reader.leave(outer);
      } else this.#add(`${prefix}: ${readValue(reader, field)}`);
    }
  }

  #add(line: string): void {
    this.#count++;
    if (this.#head.length < this.#linesMax) this.#head.push(line);
    else {
      this.#tail.push(line);
      if (this.#tail.length > tailLinesMax) this.#tail.shift();
    }
  }
}

function readValue(reader: ProtobufReader, field: FieldShape | undefined): string {
  switch (reader.tag & 7) {
    case wireVarint:
      reader.readVarint64();
      return integerText(word(reader), field);
    case wireFixed64: {
      const start = reader.passFixed64();
      if (field?.kind === 'double') return String(reader.source.view.getFloat64(start, true));
      const value = reader.source.view.getBigUint64(start, true);
      return field?.name.endsWith('UnixNano') === true ? `${value} (${nanoText(value)})` : String(value);
    }
    case wireBytes: {
      const start = reader.passBytes();
      return bytesText(reader.source.bytes.subarray(start, reader.position), field);
    }
    default:
      // Four bytes; the reader throws on what is no type.
      if ((reader.tag & 7) === 5) return String(reader.readFixed32());
      reader.skip();
      return '';
  }
}

function word({ high, low }: ProtobufReader): bigint {
  return (BigInt(high) << 32n) | BigInt(low);
}

function integerText(value: bigint, field: FieldShape | undefined): string {
  switch (field?.kind) {
    case 'bool':
      return String(value !== 0n);
    case 'sint32':
      return String((value >> 1n) ^ -(value & 1n));
    case 'int64':
      return String(BigInt.asIntN(64, value));
    default:
      return String(value);
  }
}

function nanoText(unixNano: bigint): string {
  const ms = Number(unixNano / 1_000_000n);
  return ms <= 8.64e15 ? new Date(ms).toISOString() : 'no time';
}

function bytesText(bytes: Uint8Array, field: FieldShape | undefined): string {
  const isText = field?.kind !== 'hex' && field?.kind !== 'bytes' && isUtf8(bytes);
  if (isText) {
    const text = Buffer.from(bytes.subarray(0, 4 * valueCharactersMax)).toString();
    const short = [...text].slice(0, valueCharactersMax).join('');
    return `${JSON.stringify(short)}${short.length < text.length || bytes.length > 4 * valueCharactersMax ? ` ... ${bytes.length} bytes` : ''}`;
  }
  const hex = Buffer.from(bytes.subarray(0, valueBytesMax)).toString('hex');
  return bytes.length > valueBytesMax ? `${hex} ... ${bytes.length} bytes` : hex;
}

/** Bytes as lines of 16, from the line of `from` on: offset, hexadecimal, and what of it is ASCII. */
export function hexdump(bytes: Uint8Array, from: number, bytesMax: number): string[] {
  const lines: string[] = [];
  const start = Math.max(0, Math.floor(from / 16) * 16);
  const end = Math.min(bytes.length, start + bytesMax);
  for (let offset = start; offset < end; offset += 16) {
    const row = bytes.subarray(offset, Math.min(offset + 16, end));
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const ascii = Array.from(row, (byte) =>
      byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.',
    ).join('');
    lines.push(`${offsetText(offset)}  ${hex.padEnd(47)}  ${ascii}`);
  }
  if (end < bytes.length) lines.push(`        ... ${bytes.length - end} more bytes`);
  return lines;
}

function offsetText(offset: number): string {
  return offset.toString(16).padStart(6, '0');
}
