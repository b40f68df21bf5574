/**
 * An envelope as a Kafka message and back: the body is the value, its facts are headers (see ../bus.ts).
 * Messages of others may lack every header: they belong to the default tenant and are OTLP or remote write protobuf.
 */
import { errorMessage } from '#model/errors.ts';
import { parseTenant, tenantDefault } from '#model/tenant.ts';
import {
  contentTypeOtlp,
  contentTypeRemoteWrite2,
  headerBatchId,
  headerContentType,
  headerTenant,
} from '../bus.ts';
import type { Envelope } from '../envelope.ts';
import { headerUndecodable } from './undecodable-batch.ts';

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
  readonly batchId: string;
  /** Why the message cannot be what the topic holds; undefined where it can. */
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

/** Reads the headers. Never throws: what is wrong is the `fault`, under the default tenant. */
export function messageFacts(headers: MessageHeaders): MessageFacts {
  const batchId = headerText(headers, headerBatchId) ?? '';
  const undecodable = headerText(headers, headerUndecodable);
  if (undecodable !== undefined) return { tenant: tenantDefault, batchId, fault: undecodable };
  const contentType = headerText(headers, headerContentType);
  let tenant = tenantDefault;
  try {
    tenant = parseTenant(headerText(headers, headerTenant));
  } catch (error) {
    return { tenant, batchId, fault: errorMessage(error) };
  }
  if (contentType !== undefined && contentType.split(';')[0]!.trim().toLowerCase() !== contentTypeOtlp) {
    return {
      tenant,
      batchId,
      fault: `content-type ${JSON.stringify(contentType)} is not supported: send ${contentTypeOtlp}`,
    };
  }
  return { tenant, batchId, fault: undefined };
}

function headerText(headers: MessageHeaders, name: string): string | undefined {
  const value = headers[name];
  const first = Array.isArray(value) ? (value[0] as Buffer | string | undefined) : (value as Buffer | string);
  return first === undefined || first === null ? undefined : first.toString();
}
