/**
 * Goal: who sent a broken request is told what is wrong, at which byte, and in which part of it.
 * Method: one fault of each kind, planted by hand.
 */
import { expect, test } from 'vitest';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import type { Signal } from '#wire/envelope.ts';

function decodeError(signal: Signal, hex: string): string | undefined {
  const bytes = new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));
  const requests = [{ signal, tenant: 'default', bytes }];
  return createTranscoder()({ requests, nowUnixMs: 1e12, oldestUnixMs: 0, seriesEpoch: 0 }).outcomes[0]!
    .decodeError;
}

test.each<[what: string, signal: Signal, hex: string, message: string]>([
  [
    'a length beyond the end of the request',
    'logs',
    '0a05 1203',
    'malformed ExportLogsServiceRequest: field 1 has length 5, but its message ends after 2 bytes at byte 1',
  ],
  [
    'a length beyond the end of a nested message',
    'logs',
    '0a06 1204 1205 0000 00',
    'malformed ExportLogsServiceRequest: field 2 has length 5, but its message ends after 2 bytes at byte 5, in resource_logs[0].scope_logs[0]',
  ],
  [
    'a record that ends inside its time, after a whole one',
    'logs',
    '0a0b 1209 1200 1205 0900000000',
    'malformed ExportLogsServiceRequest: field 1 is an 8-byte value, but its message ends after 4 bytes at byte 9, in resource_logs[0].scope_logs[0].log_records[1]',
  ],
  [
    'a varint of eleven bytes',
    'traces',
    '0a11 120f 120d 30 80808080808080808080 0101',
    'malformed ExportTraceServiceRequest: a varint is longer than 64 bits at byte 7, in resource_spans[0].scope_spans[0].spans[0]',
  ],
  [
    'a group',
    'traces',
    '0b 0c',
    'malformed ExportTraceServiceRequest: field 1 has wire type 3, which is a group: groups are not supported at byte 1',
  ],
  [
    'a wire type that does not exist',
    'metrics',
    '0f',
    'malformed ExportMetricsServiceRequest: field 1 has wire type 7, which is not defined at byte 1',
  ],
  [
    'field number 0',
    'metrics',
    '0a02 0200',
    'malformed ExportMetricsServiceRequest: field number 0 is not allowed at byte 2, in resource_metrics[0]',
  ],
  [
    'packed numbers of half a length',
    'metrics',
    '0a13 1211 120f 0a016d 4a0a 0a06 3204 00000000 1002',
    'malformed ExportMetricsServiceRequest: field 6 packs 8-byte numbers into 4 bytes at byte 15, in resource_metrics[0].scope_metrics[0].metrics[0].histogram[0].data_points[0]',
  ],
  [
    'a label that is cut off',
    'remote_write',
    '0a04 0a02 0a05',
    'malformed remote write request: field 1 has length 5, but its message ends after 0 bytes at byte 5, in timeseries[0].labels[0]',
  ],
  [
    'text instead of protobuf',
    'logs',
    '7b226c6f6773223a5b5d7d',
    'malformed ExportLogsServiceRequest: field 15 has wire type 3, which is a group: groups are not supported at byte 1',
  ],
])('%s', (_, signal, hex, message) => {
  expect(decodeError(signal, hex)).toBe(message);
});
