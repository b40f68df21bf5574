/** Requests whose every record is numbered, so that a store can be asked which are missing and which are there twice. */
import { encodeLogsRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';

/** Records of each request; they are spread over three days, and over partitions of two hours. */
export const recordsPerRequest = 12;
const startMs = Date.UTC(2026, 5, 1);
const timeMs = (record: number): number => startMs + (record % 3) * 86_400_000 + record * 3_600_000;

/** The n-th request: logs, spans and samples in turn. Record r of it is known as "n-r". */
export function numberedRequest(number: number): {
  signal: 'logs' | 'traces' | 'remote_write';
  bytes: Uint8Array;
} {
  const records = Array.from({ length: recordsPerRequest }, (_, record) => record);
  const name = (record: number): string => `${number}-${record}`;
  switch (number % 3) {
    case 0:
      return {
        signal: 'logs',
        bytes: encodeLogsRequest({
          resourceLogs: [
            {
              scopeLogs: [
                {
                  logRecords: records.map((record) => ({
                    timeUnixNano: `${timeMs(record)}000000`,
                    body: { stringValue: name(record) },
                  })),
                },
              ],
            },
          ],
        }),
      };
    case 1:
      return {
        signal: 'traces',
        bytes: encodeTraceRequest({
          resourceSpans: [
            {
              scopeSpans: [
                {
                  spans: records.map((record) => ({
                    traceId: Buffer.alloc(16, 1 + record),
                    spanId: Buffer.alloc(8, 1 + record),
                    name: name(record),
                    startTimeUnixNano: `${timeMs(record)}000000`,
                  })),
                },
              ],
            },
          ],
        }),
      };
    default:
      return {
        signal: 'remote_write',
        bytes: encodeRemoteWrite2({
          symbols: ['', '__name__', ...records.map(name)],
          timeseries: records.map((record) => ({
            labelsRefs: [1, record + 2],
            samples: [{ value: record, timestamp: timeMs(record) }],
          })),
        }),
      };
  }
}
