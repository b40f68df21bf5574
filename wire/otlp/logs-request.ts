/**
 * Joins encoded log records of several resources into one OTLP ExportLogsServiceRequest.
 */
import { ByteWriter, varintBytes, writeVarint } from '../protobuf/byte-writer.ts';

/** A run of records of one resource: records[from, to) as writeLogRecord left them. */
export interface ResourceRecords {
  /** The Resource message's attributes: encodeKeyValues(resourceAttributesField, ...). */
  readonly resource: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The field number of Resource.attributes. */
export const resourceAttributesField = 1;

// ExportLogsServiceRequest => 1:ResourceLogs*   ResourceLogs => 1:Resource 2:ScopeLogs*
// Lines of files have no instrumentation scope: ScopeLogs holds records only.
const resourceLogsTag = 0x0a;
const resourceTag = 0x0a;
const scopeLogsTag = 0x12;
/** Three tags and three lengths. */
const headerBytesMax = 32;

/** Returns the request as fresh bytes: one ResourceLogs per run, in the given order. */
export function encodeLogsRequest(runs: readonly ResourceRecords[], records: Uint8Array): Uint8Array {
  let requestBytes = 0;
  for (const run of runs) requestBytes += resourceLogsBytes(run);
  const writer = new ByteWriter(requestBytes + headerBytesMax);
  for (const { resource, from, to } of runs) {
    const scopeBytes = to - from;
    writer.reserve(headerBytesMax + resource.length + scopeBytes);
    writeVarint(writer, resourceLogsTag);
    writeVarint(writer, messageBytes(resource.length) + messageBytes(scopeBytes));
    writeVarint(writer, resourceTag);
    writeVarint(writer, resource.length);
    append(writer, resource);
    writeVarint(writer, scopeLogsTag);
    writeVarint(writer, scopeBytes);
    append(writer, records.subarray(from, to));
  }
  return writer.written();
}

/** The bytes that a run takes in the request. */
export function resourceLogsBytes({ resource, from, to }: ResourceRecords): number {
  return messageBytes(messageBytes(resource.length) + messageBytes(to - from));
}

function messageBytes(contentBytes: number): number {
  return 1 + varintBytes(contentBytes) + contentBytes;
}

function append(writer: ByteWriter, bytes: Uint8Array): void {
  writer.bytes.set(bytes, writer.position);
  writer.position += bytes.length;
}
