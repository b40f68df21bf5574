/**
 * The messages of Fluent's forward protocol, version 1 (and 1.5, where it concerns logs).
 *
 *   Message         => [tag, time, record, option?]
 *   Forward         => [tag, [entry*], option?]              entry => [time, record] or [[time, metadata], record]
 *   PackedForward   => [tag, binary of entry*, option?]
 *   Compressed...   => the same, with option.compressed 'gzip' or 'zstd'
 *   handshake       => ['PING', ...]                         heartbeat => nil
 */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { DecodeError, errorMessage } from '#model/errors.ts';
import type { MsgpackCursor, MsgpackKind } from './msgpack-cursor.ts';

export interface ForwardMessage {
  readonly mode: 'message' | 'forward' | 'packed';
  readonly tag: Buffer;
  /** What the client wants to have answered when the events are durable. */
  readonly chunk: string | undefined;
  /** 0: logs. Fluent Bit sends metrics (1) and traces (2) in a form of its own. */
  readonly signal: number;
  /** The events lie in bytes[from, to): `count` entries, or -1 for as many as there are; of Message, the event's two values. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

interface ForwardOptions {
  chunk?: string;
  compressed?: string;
  signal?: number;
}

/** A chunk identifier longer than this is nobody's. */
const chunkBytesMax = 1024;

/**
 * Reads the message that the cursor begins at; undefined for nil. Throws DecodeError where it is no message. `plainBytesMax`
 * bounds what compressed entries become.
 */
export function readForwardMessage(cursor: MsgpackCursor, plainBytesMax: number): ForwardMessage | undefined {
  const start = cursor.position;
  if (cursor.read() === 'nil') return undefined;
  const { count } = cursor;
  if (cursor.kind !== 'array' || count < 2 || count > 4) {
    throw new DecodeError('expected [tag, time, record] or [tag, entries] of the forward protocol', start);
  }
  const tagKind = cursor.read();
  if (tagKind !== 'string' && tagKind !== 'binary')
    throw new DecodeError('expected a tag as text', cursor.position);
  const tag = cursor.bytes.subarray(cursor.from, cursor.to);
  const at = cursor.position;
  const kind = cursor.read();
  const { bytes } = cursor;
  if (kind === 'array' && count <= 3) {
    const [entries, from] = [cursor.count, cursor.position];
    // The header is read: what is left are its entries.
    for (let index = 0; index < entries; index++) cursor.skip();
    const to = cursor.position;
    const options = readOptions(cursor, count - 2);
    return { mode: 'forward', tag, ...head(options), bytes, from, to, count: entries };
  }
  if (kind === 'string' || kind === 'binary') {
    const [from, to] = [cursor.from, cursor.to];
    const options = readOptions(cursor, count - 2);
    const plain = decompress(bytes.subarray(from, to), options.compressed, plainBytesMax, from);
    return { mode: 'packed', tag, ...head(options), bytes: plain, from: 0, to: plain.length, count: -1 };
  }
  if (count < 3) throw new DecodeError('expected entries, or a time and a record', at);
  cursor.position = at;
  cursor.skip();
  cursor.skip();
  const to = cursor.position;
  const options = readOptions(cursor, count - 3);
  return { mode: 'message', tag, ...head(options), bytes, from: at, to, count: 1 };
}

function head({ chunk, signal = 0 }: ForwardOptions): { chunk: string | undefined; signal: number } {
  return { chunk, signal };
}

function readOptions(cursor: MsgpackCursor, count: number): ForwardOptions {
  const options: ForwardOptions = {};
  if (count < 1) return options;
  if (cursor.read() === 'nil') return options;
  if (cursor.kind !== 'map') throw new DecodeError('expected options as a map', cursor.position);
  for (let pairs = cursor.count; pairs > 0; pairs--) {
    cursor.read();
    const key = (cursor.kind as MsgpackKind) === 'string' ? textOf(cursor) : undefined;
    // A key that is no text may hold values.
    if (key === undefined) throw new DecodeError('expected the name of an option', cursor.position);
    if (key !== 'chunk' && key !== 'compressed' && key !== 'fluent_signal') {
      cursor.skip();
      continue;
    }
    const kind = cursor.read();
    if (key === 'fluent_signal' && kind === 'integer') options.signal = cursor.number;
    else if (key !== 'fluent_signal' && (kind === 'string' || kind === 'binary'))
      options[key] = textOf(cursor);
    else throw new DecodeError(`the option ${key} has an unexpected type (${kind})`, cursor.position);
  }
  return options;
}

function textOf({ bytes, from, to }: MsgpackCursor): string {
  if (to - from > chunkBytesMax)
    throw new DecodeError(`an option has more than ${chunkBytesMax} bytes`, from);
  return bytes.toString('utf8', from, to);
}

function decompress(
  bytes: Buffer,
  compression: string | undefined,
  maxOutputLength: number,
  at: number,
): Buffer {
  if (compression === undefined || compression === 'text') return bytes;
  try {
    if (compression === 'gzip') return gunzipSync(bytes, { maxOutputLength });
    if (compression === 'zstd') return zstdDecompressSync(bytes, { maxOutputLength });
  } catch (error) {
    throw new DecodeError(`the ${compression} entries cannot be decompressed: ${errorMessage(error)}`, at);
  }
  throw new DecodeError(`the compression ${compression} is not known: gzip and zstd are`, at);
}
