/**
 * What the value of a message is, by its headers and else by its bytes: producers such as the OpenTelemetry Collector's
 * Kafka exporter send no content type.
 *
 *   logs          0a ...               OTLP protobuf, where all of it is: a log line may begin with a line feed, too
 *   logs          {"resourceLogs":...  OTLP JSON
 *   traces        [{"traceId":...      Zipkin JSON
 *   remote_write  22 ... or b7 8d ...  protobuf, or snappy around it
 *
 * Invariant: what is not certain is refused with a reason that names it; nothing is taken for an empty request.
 */
import { isUtf8 } from 'node:buffer';
import { DecodeError, RefusedError } from '#model/errors.ts';
import type { Format } from '../conversion/conversion.ts';
import type { Signal } from '../envelope.ts';
import { JsonCursor } from '../json/json-cursor.ts';
import { checkRequest } from '../protobuf/structure.ts';
import { isSnappy } from '../receive/snappy-content.ts';
import type { MessageFacts } from './message.ts';
import { spanEncoding } from './span-encoding.ts';

/** `bus` is one of the four bodies of wire/envelope.ts as it is, `snappy` one around it; `text` is a log line. */
export type Payload = Format | 'bus' | 'snappy' | 'text';

export interface PayloadHints extends Pick<MessageFacts, 'contentType' | 'encoding'> {
  /** Whether what is no request on the topic of logs is a log line. */
  readonly isTextTaken: boolean;
}

const requestKeys: Readonly<Record<Exclude<Signal, 'remote_write'>, string>> = {
  logs: 'resourceLogs',
  traces: 'resourceSpans',
  metrics: 'resourceMetrics',
};
const protobufTypes = ['application/x-protobuf', 'application/protobuf'];
const textTypes = ['text/plain'];
/** Types that say nothing. */
const openTypes = ['', 'application/octet-stream'];
const jsonTypes = ['application/json'];
const remoteWriteMessages = ['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'];
/** Character sets, which other programs call so: they say nothing about the format. */
const characterSets = /^(utf-?(8|16)|us-ascii|ascii|latin1|iso-8859-\d+)$/;
/** Of the encodings that the Collector's Kafka exporter and receiver know. */
const textEncodings = ['raw', 'text', 'text_utf-8', 'text_utf8', 'json'];

const requestTag = 0x0a;
/** First tags of remote write: series and metadata of 1.0, symbols and series of 2.0. */
const remoteWriteTags = [0x0a, 0x1a, 0x22, 0x2a];
/** A snappy block that begins with one of them says that it has 42 bytes at most, and cannot be longer than this. */
const ambiguousBytesMax = 96;
const openBrace = 0x7b;
const openBracket = 0x5b;
const quote = 0x22;

/** Returns what `bytes` are. Throws RefusedError, whose message names what is not read. */
export function recognisePayload(signal: Signal, bytes: Uint8Array, hints: PayloadHints): Payload {
  if (signal === 'remote_write') return recogniseRemoteWrite(bytes, hints);
  const declared = declaredPayload(signal, hints);
  if (declared !== undefined) return declared;
  if (bytes.length === 0) return 'bus';
  if (bytes[0] !== requestTag || isJsonType(hints) || isText(bytes))
    return recogniseText(signal, bytes, hints);
  const foreign = signal === 'traces' ? spanEncoding(bytes) : undefined;
  if (foreign !== undefined)
    throw unread(`${foreign} is not read`, 'set encoding: otlp_proto in the exporter');
  const fault = requestFault(signal, bytes);
  if (fault === undefined) return 'bus';
  if (hints.isTextTaken && signal === 'logs') return 'text';
  throw unread(
    `what begins like OTLP protobuf and is damaged (${fault}) is not read on the topic of ${signal}`,
  );
}

/** Why bytes are no request of the signal; undefined where they are one from their first byte to their last. */
function requestFault(signal: Signal, bytes: Uint8Array): string | undefined {
  try {
    checkRequest(signal, bytes);
    return undefined;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return error.message;
  }
}

/** Returns what the headers alone decide, or undefined where the bytes have to. */
function declaredPayload(
  signal: keyof typeof requestKeys,
  { contentType, encoding }: PayloadHints,
): Payload | undefined {
  if (!saysNothing(encoding)) {
    if (encoding === 'otlp_proto') return 'bus';
    if (encoding === 'otlp_json') return `otlp_json_${signal}`;
    if (encoding === 'zipkin_json' && signal === 'traces') return 'zipkin_json';
    if (textEncodings.includes(encoding) && signal === 'logs') return 'text';
    throw unread(`encoding ${JSON.stringify(encoding)} is not read on the topic of ${signal}`);
  }
  const type = mediaType(contentType);
  if (protobufTypes.includes(type)) return 'bus';
  if (textTypes.includes(type) && signal === 'logs') return 'text';
  if (openTypes.includes(type) || jsonTypes.includes(type)) return undefined;
  throw unread(
    `content-type ${JSON.stringify(contentType)} is not supported`,
    `send ${protobufTypes[0]} or ${jsonTypes[0]}`,
  );
}

function recogniseText(signal: keyof typeof requestKeys, bytes: Uint8Array, hints: PayloadHints): Payload {
  const isTextTaken = hints.isTextTaken && signal === 'logs';
  const first = firstTextByte(bytes);
  if (first === openBracket && signal === 'traces') return 'zipkin_json';
  if (first === openBrace) {
    const keys = isTextTaken ? safeTopLevelKeys(bytes) : topLevelKeys(bytes);
    if (keys.length === 0 && !isTextTaken) return `otlp_json_${signal}`;
    if (keys.includes(requestKeys[signal])) return `otlp_json_${signal}`;
    if (!isTextTaken) throw foreignJson(signal, keys);
  }
  // The Collector's `raw` writes a body of text as a JSON string: no request of OTLP begins so.
  if (signal === 'logs' && (isTextTaken || (first === quote && isJsonString(bytes)))) return 'text';
  throw unread(`${describeBytes(bytes)} is not read on the topic of ${signal}`, howToSend(signal, bytes));
}

function recogniseRemoteWrite(bytes: Uint8Array, { contentType, encoding }: PayloadHints): Payload {
  const message = /;\s*proto=([^;\s]+)/.exec(contentType)?.[1];
  const type = mediaType(contentType);
  if (!saysNothing(encoding) || !(openTypes.includes(type) || protobufTypes.includes(type))) {
    throw unread(
      saysNothing(encoding)
        ? `content-type ${JSON.stringify(contentType)} is not supported`
        : `encoding ${JSON.stringify(encoding)} is not read on the topic of remote_write`,
      `send ${protobufTypes[0]}`,
    );
  }
  if (message !== undefined && !remoteWriteMessages.includes(message)) {
    throw unread(
      `remote write message ${JSON.stringify(message)} is not supported`,
      remoteWriteMessages.join(' or '),
    );
  }
  if (bytes.length === 0 || isRemoteWrite(bytes)) return 'bus';
  if (isSnappy(bytes)) return 'snappy';
  throw unread(
    `${describeBytes(bytes)} is not read on the topic of remote_write`,
    'send remote write protobuf, plain or in snappy',
  );
}

/** Damaged protobuf is taken for what it was: whoever decodes it says where it is wrong. Text never is. */
function isRemoteWrite(bytes: Uint8Array): boolean {
  if (!remoteWriteTags.includes(bytes[0]!) || isText(bytes)) return false;
  if (bytes.length > ambiguousBytesMax || !isSnappy(bytes)) return true;
  return requestFault('remote_write', bytes) === undefined;
}

/** Names of the object's members. Throws RefusedError where it is not JSON. */
function topLevelKeys(bytes: Uint8Array): string[] {
  const cursor = new JsonCursor();
  const keys: string[] = [];
  try {
    cursor.begin(bytes);
    cursor.enterObject();
    while (cursor.nextKey()) {
      keys.push(cursor.text());
      // One that we know is enough: what follows is the converter's to judge.
      if (Object.values(requestKeys).includes(keys.at(-1)!)) return keys;
      cursor.skipValue();
    }
    cursor.expectEnd();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw new RefusedError(`malformed JSON: ${error.message}`, 400, { cause: error });
  }
  return keys;
}

function safeTopLevelKeys(bytes: Uint8Array): string[] {
  try {
    return topLevelKeys(bytes);
  } catch (error) {
    // A log line that begins with a brace need not be JSON.
    if (!(error instanceof RefusedError)) throw error;
    return [];
  }
}

function isJsonString(bytes: Uint8Array): boolean {
  const cursor = new JsonCursor();
  try {
    cursor.begin(bytes);
    cursor.readString();
    cursor.expectEnd();
    return true;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return false;
  }
}

function foreignJson(signal: keyof typeof requestKeys, keys: readonly string[]): RefusedError {
  const other = Object.entries(requestKeys).find(([, key]) => keys.includes(key));
  if (other !== undefined) {
    return unread(`an OTLP JSON request of ${other[0]} is not read on the topic of ${signal}`);
  }
  if (signal === 'traces' && keys.includes('operationName')) {
    return unread('jaeger_json is not read', 'set encoding: otlp_proto in the exporter');
  }
  const hint = signal === 'logs' ? textHint : `send OTLP in ${protobufTypes[0]} or ${jsonTypes[0]}`;
  return unread(`a JSON object without ${requestKeys[signal]} is not read on the topic of ${signal}`, hint);
}

const textHint =
  'to store it as the body of a log record, send the header encoding: raw, or set transport.kafka.plain_logs';

function howToSend(signal: Signal, bytes: Uint8Array): string {
  if (signal === 'logs' && isText(bytes)) return textHint;
  return `send OTLP in ${protobufTypes[0]} or ${jsonTypes[0]}`;
}

/** What a person would call bytes that are no request. */
function describeBytes(bytes: Uint8Array): string {
  const first = firstTextByte(bytes);
  if (bytes[0] === 0 && bytes.length > 5) return "what begins with Confluent's schema id (Avro or JSON)";
  if (bytes[0] === 0x4f && bytes[1] === 0x62 && bytes[2] === 0x6a && bytes[3] === 1) return 'an Avro file';
  if (first === openBrace || first === openBracket) return 'JSON';
  if (isText(bytes)) return 'text';
  const head = Buffer.from(bytes.subarray(0, 4)).toString('hex');
  return `what begins with bytes ${head.replace(/(..)(?=.)/g, '$1 ')} (Avro, Thrift or damaged)`;
}

/**
 * Whether bytes are UTF-8 without control characters but tab, line feed and carriage return. No request of OTLP with
 * anything to store is: the tag of its scopes, 12, is a control character; nor is one of remote write, by the tags of its
 * samples (12), metadata (1a) and the counts of native histograms (08, 11).
 */
function isText(bytes: Uint8Array): boolean {
  return (
    bytes.every((byte) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d) && isUtf8(bytes)
  );
}

/** The first byte that is not white space. */
function firstTextByte(bytes: Uint8Array): number {
  return bytes.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d) ?? -1;
}

function saysNothing(encoding: string): boolean {
  return encoding === '' || characterSets.test(encoding);
}

function isJsonType({ contentType }: PayloadHints): boolean {
  return jsonTypes.includes(mediaType(contentType));
}

function mediaType(contentType: string): string {
  return contentType.split(';')[0]!.trim().toLowerCase();
}

function unread(fact: string, hint = ''): RefusedError {
  return new RefusedError(hint === '' ? fact : `${fact}: ${hint}`, 415);
}
