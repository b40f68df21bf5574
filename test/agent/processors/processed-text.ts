/** Runs log lines through processors as configuration declares them, and reads the result with protobufjs. */
import { parse } from 'yaml';
import { FrameReaders } from '#agent/logs/frame/frame-readers.ts';
import { RangeEncoder } from '#agent/logs/frame/range-encoder.ts';
import type { LogResource } from '#agent/logs/resource/path-resource.ts';
import { createLogProcessors, type LogProcessors } from '#agent/processors/log-processors.ts';
import {
  type BuiltinEntry,
  type ModuleEntry,
  processorsOptions,
} from '#agent/processors/processors-options.ts';
import { decodeLogsRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { encodeLogsRequest, resourceAttributesField } from '#wire/otlp/logs-request.ts';
import { ByteWriter, byteSource, copySlackBytes } from '#wire/protobuf/byte-writer.ts';
import { RecordingTransport } from '../logs/recording-transport.ts';

export interface ProcessedRecord {
  readonly body: string;
  /** 'WARN 13', or '' without one. */
  readonly severity: string;
  /** Unix ns, or undefined. */
  readonly time: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
}

/** The log of the processors, as text. */
export const logged: string[] = [];
const say = (fields: object, message: string): void =>
  void logged.push(`${message} ${JSON.stringify(fields)}`);

/** The entries that a YAML list says. Throws with the schema's first complaint: `path: message`. */
export function readEntries(yaml: string): readonly (BuiltinEntry | ModuleEntry)[] {
  const parsed = processorsOptions['logs.processors'].schema.safeParse(parse(yaml));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new Error(`${path.join('.')}: ${message}`);
}

export async function startProcessors(
  yaml: string,
  {
    transport = new RecordingTransport(),
    directory = '/',
    metricsIntervalMs = 60_000,
    batchBytesMax = 1_000_000,
  } = {},
): Promise<LogProcessors> {
  const log = { info: say, warn: say, error: say } as never;
  const options = {
    transport,
    tenant: 'acme',
    node: 'node-1',
    log,
    metricsIntervalMs,
    batchBytesMax,
    directory,
  };
  const processors = await createLogProcessors(readEntries(yaml), options);
  if (processors === undefined) throw new Error('the test has no processors');
  return processors;
}

/** The lines' records behind the processors; `settle` as when their batch is confirmed. */
export function process(
  processors: LogProcessors,
  lines: string | Buffer,
  resource: LogResource = { 'service.name': 'web' },
): { records: ProcessedRecord[]; dropped: number; settle: () => void } {
  const pipeline = processors.pipelineOf(resource);
  const text = Buffer.from(lines);
  const chunk = byteSource(Buffer.concat([text, Buffer.alloc(copySlackBytes)]));
  const out = new ByteWriter();
  const encoder = new RangeEncoder(new FrameReaders(), 4096);
  const { recordsDropped } = encoder.encode(
    { format: 'plain', multiline: 'auto' },
    chunk,
    0,
    text.length,
    out,
    pipeline,
  );
  const resourceBytes = pipeline?.resourceBytes ?? encodeKeyValues(resourceAttributesField, resource);
  const run = { resource: resourceBytes, from: 0, to: out.position };
  const settle = pipeline?.take() ?? (() => undefined);
  return { records: decodeProcessed(encodeLogsRequest([run], out.bytes)), dropped: recordsDropped, settle };
}

/** Starts processors, runs the lines, and stops them. */
export async function processOnce(
  yaml: string,
  lines: string | Buffer,
  resource?: LogResource,
): Promise<ProcessedRecord[]> {
  const processors = await startProcessors(yaml);
  const { records } = process(processors, lines, resource);
  await processors.stop({ drainMs: 0 });
  return records;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}
type Attribute = { readonly key: string; readonly value: Value };

export function decodeProcessed(bytes: Uint8Array): ProcessedRecord[] {
  const { resourceLogs = [] } = decodeLogsRequest(bytes) as {
    resourceLogs?: {
      resource: { attributes?: Attribute[] };
      scopeLogs: { logRecords: Record<string, never>[] }[];
    }[];
  };
  return resourceLogs.flatMap(({ resource, scopeLogs }) =>
    scopeLogs.flatMap(({ logRecords = [] }) =>
      logRecords.map(({ body, severityText = '', severityNumber, timeUnixNano, attributes }) => ({
        body: (body as Value).stringValue ?? '',
        severity: severityNumber === undefined ? '' : `${severityText} ${String(severityNumber)}`,
        time: timeUnixNano,
        attributes: valuesOf(attributes),
        resource: valuesOf(resource.attributes),
      })),
    ),
  );
}

function valuesOf(attributes: readonly Attribute[] = []): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => {
      const { stringValue, intValue, doubleValue, boolValue } = value;
      return [
        key,
        stringValue ?? (intValue === undefined ? undefined : Number(intValue)) ?? doubleValue ?? boolValue,
      ];
    }),
  );
}
