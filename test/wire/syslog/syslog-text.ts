/** Renders syslog messages as the log records that they become, in short texts. */
import { decodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { LogBatch } from '#wire/otlp/log-batch.ts';
import { createSyslogMessage } from '#wire/syslog/syslog-message.ts';
import { parseSyslog } from '#wire/syslog/syslog-parser.ts';
import { writeSyslogRecord, writeSyslogResource } from '#wire/syslog/syslog-record.ts';
import { SyslogTime } from '#wire/syslog/syslog-time.ts';
import { WallClock } from '#wire/syslog/wall-clock.ts';

export interface ReadRecord {
  readonly body: string;
  /** ISO time with nanoseconds; '' for none. */
  readonly time: string;
  readonly severity: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

interface Pair {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
const values = (pairs: readonly Pair[] = []): Record<string, unknown> =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, Object.values(value)[0]]));

/** The records of a request, in order. */
export function readRecords(bytes: Uint8Array): ReadRecord[] {
  // biome-ignore lint/suspicious/noExplicitAny: the decoder's objects are the schema's
  const { resourceLogs = [] } = decodeLogsRequest(bytes) as any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  return resourceLogs.flatMap(({ resource, scopeLogs }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    scopeLogs[0].logRecords.map((record: any) => ({
      body: record.body?.stringValue ?? '',
      time: renderTime(record.timeUnixNano),
      severity: `${record.severityNumber ?? 0} ${record.severityText ?? ''}`.trim(),
      attributes: values(record.attributes),
      resource: values(resource?.attributes),
    })),
  );
}

function renderTime(unixNano: string | undefined): string {
  if (unixNano === undefined || unixNano === '0') return '';
  const seconds = BigInt(unixNano) / 1_000_000_000n;
  const fraction = String(BigInt(unixNano) % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return fraction === '' ? text : `${text}.${fraction}`;
}

/** What one message becomes, and how much of its structured data was left out. */
export function readSyslog(
  text: string | Buffer,
  { zone = 'UTC', now = '2026-11-26T12:00:00Z', peer = '' } = {},
): ReadRecord & { readonly left: number } {
  const message = createSyslogMessage();
  const bytes = Buffer.from(text);
  const padded = Buffer.concat([Buffer.from('9'), bytes, Buffer.from('2026 12:00:00')]);
  parseSyslog(padded, 1, 1 + bytes.length, Date.parse(now), new SyslogTime(new WallClock(zone)), message);
  const batch = new LogBatch();
  writeSyslogResource(batch.resource, padded, message, Buffer.from(peer));
  const writer = batch.records();
  const left = writeSyslogRecord(writer, padded, message, { low: 1, high: 0 });
  batch.added(writer.position);
  return { ...readRecords(batch.finish())[0]!, left };
}
