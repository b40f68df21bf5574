/**
 * An envelope as a Kafka message and back: the body is the value, its facts are headers (see ../bus.ts).
 * Messages of others may lack every header: they belong to the default tenant, and payload.ts finds out what they are.
 */
import { errorMessage } from '#model/errors.ts';
import { parseTenant, tenantDefault, tenantHeader } from '#model/tenant.ts';
import {
  contentTypeOtlp,
  contentTypeRemoteWrite2,
  headerBatchId,
  headerContentEncoding,
  headerContentType,
  headerEncoding,
  headerOriginTimestamp,
  headerTenant,
} from '../bus.ts';
import type { Envelope } from '../envelope.ts';

/** The values of a record's headers, as kafkajs reads them: a header that is repeated is an array. */
export type MessageHeaders = Readonly<
  Record<string, Buffer | string | readonly (Buffer | string)[] | undefined>
>;

export interface OutgoingMessage {
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
}

export interface MessageFacts {
  readonly tenant: string;
  /** '' where the producer gave none. */
  readonly batchId: string;
  readonly contentType: string;
  readonly contentEncoding: string;
  /** An encoding as the OpenTelemetry Collector names them: `raw`, `otlp_json`. '' where none is named. */
  readonly encoding: string;
  /** When a message that is replayed came first, in milliseconds since 1970; undefined for any other. */
  readonly originTimestampMs: number | undefined;
  /** Why the message belongs to nobody; undefined where it does. */
  readonly fault: string | undefined;
}

/** Bytes of a record beside key, value and headers, and of the batch around it: an upper bound. */
const recordOverheadBytes = 128;

/** Returns the message; its value shares memory with the envelope's bytes. */
export function envelopeMessage({ signal, tenant, batchId, key, bytes }: Envelope): OutgoingMessage {
  return {
    key,
    value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    headers: {
      [headerTenant]: tenant,
      [headerBatchId]: batchId,
      [headerContentType]: signal === 'remote_write' ? contentTypeRemoteWrite2 : contentTypeOtlp,
    },
  };
}

/** Returns an upper bound of what the message takes in a record batch, before compression. */
export function messageSize({ key, value, headers }: OutgoingMessage): number {
  let size = recordOverheadBytes + Buffer.byteLength(key) + value.length;
  for (const [name, text] of Object.entries(headers)) size += name.length + Buffer.byteLength(text) + 10;
  return size;
}

/**
 * Reads the headers, in any case. Never throws: what is wrong is the `fault`, under the default tenant. `tenant` wins over
 * `X-Scope-OrgID`, which the Collector's exporter copies where its include_metadata_keys name it.
 */
export function messageFacts(headers: MessageHeaders): MessageFacts {
  const facts = {
    batchId: headerText(headers, headerBatchId) ?? '',
    contentType: headerText(headers, headerContentType) ?? '',
    contentEncoding: headerText(headers, headerContentEncoding) ?? '',
    encoding: headerText(headers, headerEncoding)?.trim().toLowerCase() ?? '',
    originTimestampMs: unixMs(headerText(headers, headerOriginTimestamp)),
  };
  try {
    const tenant = parseTenant(headerText(headers, headerTenant) ?? headerText(headers, tenantHeader));
    return { ...facts, tenant, fault: undefined };
  } catch (error) {
    return { ...facts, tenant: tenantDefault, fault: errorMessage(error) };
  }
}

/** Returns a header's first value as text. `name` is lower-case; producers write headers in any case. */
export function headerText(headers: MessageHeaders, name: string): string | undefined {
  const value =
    headers[name] ?? headers[Object.keys(headers).find((key) => key.toLowerCase() === name) ?? ''];
  const first = Array.isArray(value) ? (value[0] as Buffer | string | undefined) : (value as Buffer | string);
  return first === undefined || first === null ? undefined : first.toString();
}

function unixMs(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
