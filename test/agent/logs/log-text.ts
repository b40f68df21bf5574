/** Renders encoded log records as short texts, and writes lines the way container runtimes do. */

import type { LineFormat } from '#agent/logs/frame/frame.ts';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { type EncodeCounts, RangeEncoder } from '#agent/logs/frame/range-encoder.ts';
import { decodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeLogsRequest } from '#wire/otlp/logs-request.ts';
import { ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';

export interface TestRecord {
  readonly body: string;
  /** Unix ns as text; undefined where the record has no time. */
  readonly time: string | undefined;
  readonly attributes: Readonly<Record<string, string>>;
  readonly resource: Readonly<Record<string, string>>;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: string };
}

interface Decoded {
  readonly resourceLogs?: readonly {
    readonly resource: { readonly attributes?: readonly Attribute[] };
    readonly scopeLogs: readonly {
      readonly logRecords: readonly {
        readonly body: { readonly stringValue: string };
        readonly timeUnixNano?: string;
        readonly attributes?: readonly Attribute[];
      }[];
    }[];
  }[];
}

/** The records of a request, in order. */
export function decodeRecords(bytes: Uint8Array): TestRecord[] {
  const { resourceLogs = [] } = decodeLogsRequest(bytes) as unknown as Decoded;
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords }) =>
      logRecords.map((record) => ({
        body: record.body.stringValue,
        time: record.timeUnixNano,
        attributes: texts(record.attributes),
        resource: texts(resource.attributes),
      })),
    ),
  );
}

function texts(attributes: readonly Attribute[] = []): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? '?']),
  );
}

/** Encodes a whole text as one range. */
export function encodeText(
  format: LineFormat,
  text: string | Buffer,
  lineBytesMax = 1024,
  multiline = 'auto',
): { records: TestRecord[]; counts: EncodeCounts } {
  const bytes = Buffer.from(text);
  const chunk = byteSource(Buffer.concat([bytes, Buffer.alloc(copySlackBytes)]));
  const writer = new ByteWriter();
  const counts = new RangeEncoder(new FrameReaders(), lineBytesMax).encode(
    { format, multiline },
    chunk,
    0,
    bytes.length,
    writer,
  );
  const run = { resource: new Uint8Array(), from: 0, to: writer.position };
  return { records: decodeRecords(encodeLogsRequest([run], writer.bytes)), counts };
}

/** '2026-01-02T03:04:05.000000000Z' plus ms. */
export function timeText(ms = 0): string {
  return new Date(Date.UTC(2026, 0, 2, 3, 4, 5) + ms).toISOString().replace('Z', '000000Z');
}

export function criLine(body: string, { stream = 'stdout', tag = 'F', ms = 0 } = {}): string {
  return `${timeText(ms)} ${stream} ${tag} ${body}\n`;
}

/** As docker writes it: keys in its order, HTML characters escaped. */
export function dockerLine(log: string, { stream = 'stdout', ms = 0 } = {}): string {
  const text = JSON.stringify(log).replace(/[<>&]/g, (letter) => `\\u00${letter.charCodeAt(0).toString(16)}`);
  return `{"log":${text},"stream":"${stream}","time":"${timeText(ms)}"}\n`;
}
