/**
 * A letter as text for a person: what it says of itself, the message's headers, and the body as far as it can be read.
 * Pure. What a message holds is shown escaped: a terminal must not obey it.
 */

import { RefusedError } from '#model/errors.ts';
import type { Signal } from '#wire/envelope.ts';
import { messageFacts } from '#wire/kafka/message.ts';
import { recognisePayload } from '#wire/kafka/payload.ts';
import type { KafkaRecord } from '#wire/kafka/record-batch.ts';
import { requestShapes } from '#wire/otlp-json/request-shapes.ts';
import { dumpFields, hexdump } from '#wire/protobuf/field-dump.ts';
import { decodeContent } from '#wire/receive/content-encoding.ts';
import { remoteWriteShape } from '#wire/remote-write/request-shapes.ts';
import { type LetterFacts, originalHeaders, placeName } from './letter.ts';

export interface ViewBounds {
  readonly linesMax: number;
  /** Of the hexadecimal dump. */
  readonly dumpBytesMax: number;
  readonly bodyBytesMax: number;
}

export const viewBounds: ViewBounds = { linesMax: 60, dumpBytesMax: 256, bodyBytesMax: 64 * 1024 * 1024 };

const headerCharactersMax = 300;
/** Of the text of a body, before and behind the place that the reason names. */
const textContextCharacters = 1000;

/** Returns lines. `signal` is of the source topic, undefined where none of ours is so called. */
export async function viewLetter(
  facts: LetterFacts,
  record: KafkaRecord,
  value: Buffer | null,
  signal: Signal | undefined,
  bounds: ViewBounds = viewBounds,
): Promise<string[]> {
  const headers = originalHeaders(record);
  const lines = [
    `letter     ${facts.partition}/${facts.offset}, written ${timeText(facts.writtenMs)}`,
    `reason     ${printable(facts.reason)}`,
    `tenant     ${printable(facts.tenant)}`,
    `from       ${printable(placeName(facts.source))}, produced ${timeText(facts.sourceMs)}`,
    ...(facts.replays > 0 ? [`replays    ${facts.replays} before it failed again`] : []),
    `key        ${record.key === null ? 'none' : printable(record.key.toString())}`,
    'headers',
    ...Object.entries(headers).map(([name, text]) => `  ${printable(name)}: ${printable(String(text))}`),
  ];
  if (value === null && !facts.isValueDropped) return [...lines, 'body       none: a tombstone'];
  if (value === null) {
    return [
      ...lines,
      `body       ${facts.valueBytes} bytes were too many for the topic of letters, and are gone from the source`,
    ];
  }
  lines.push(`body       ${value.length} bytes${facts.isValueDropped ? ', from the source topic' : ''}`);
  return [...lines, ...(await viewBody(facts, headers, value, signal, bounds))];
}

async function viewBody(
  facts: LetterFacts,
  headers: Record<string, Buffer>,
  value: Buffer,
  signal: Signal | undefined,
  bounds: ViewBounds,
): Promise<string[]> {
  const reasonPosition = Number(/ at byte (\d+)/.exec(facts.reason)?.[1] ?? Number.NaN);
  const messageHints = messageFacts(headers);
  let plain: Uint8Array = value;
  try {
    plain = (await decodeContent(value, messageHints.contentEncoding, bounds.bodyBytesMax)).bytes;
    if (signal === undefined) throw new RefusedError(`no signal has the topic ${facts.source.topic}`);
    const payload = recognisePayload(signal, plain, { ...messageHints, isTextTaken: false });
    if (payload === 'snappy') plain = (await decodeContent(plain, 'snappy', bounds.bodyBytesMax)).bytes;
    const note = plain === value ? '' : `, ${plain.length} bytes decompressed`;
    if (payload !== 'bus' && payload !== 'snappy') {
      return [`read as    ${payload}${note}`, ...textAround(plain, reasonPosition, bounds)];
    }
    const shape = signal === 'remote_write' ? remoteWriteShape : requestShapes[signal];
    const { lines, fault } = dumpFields(plain, shape, bounds.linesMax);
    const position = fault?.position ?? reasonPosition;
    return [
      `read as    protobuf of ${signal}${note}`,
      ...lines,
      ...(Number.isNaN(position) ? [] : [`bytes around ${position}`, ...around(plain, position, bounds)]),
    ];
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return [`not read   ${printable(error.message)}`, ...hexdump(plain, 0, bounds.dumpBytesMax)];
  }
}

function around(bytes: Uint8Array, position: number, { dumpBytesMax }: ViewBounds): string[] {
  return hexdump(bytes, Math.max(0, position - dumpBytesMax / 2), dumpBytesMax);
}

function textAround(bytes: Uint8Array, position: number, bounds: ViewBounds): string[] {
  const at = Number.isNaN(position) ? 0 : position;
  const from = Math.max(0, at - textContextCharacters);
  const end = Math.min(bytes.length, at + textContextCharacters);
  const text = Buffer.from(bytes.subarray(from, end)).toString();
  return [
    `${from > 0 ? '... ' : ''}${escaped(text)}${end < bytes.length ? ` ... ${bytes.length - end} more bytes` : ''}`,
    ...(Number.isNaN(position) ? [] : [`bytes around ${position}`, ...around(bytes, position, bounds)]),
  ];
}

export function timeText(unixMs: number): string {
  return unixMs > 0 && unixMs <= 8.64e15 ? new Date(unixMs).toISOString() : 'at an unknown time';
}

/** In one line, bounded, without control characters. */
export function printable(text: string): string {
  const short = text.length > headerCharactersMax ? `${text.slice(0, headerCharactersMax)}...` : text;
  return escaped(short).replaceAll('\n', '\\n');
}

function escaped(text: string): string {
  // Control characters but line feed and tab, C1 ones, and marks that change the direction of writing.
  return text.replace(/[^\P{C}\n\t]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}
