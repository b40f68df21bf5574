/**
 * Says where in a request the bytes went wrong, for the person who sent it:
 *
 *   malformed ExportLogsServiceRequest: a varint runs past the end of its message at byte 42,
 *   in resource_logs[0].scope_logs[0].log_records[3]
 *
 * The transcoders keep no path while they read; this walks the request again, once it is known to be bad.
 */
import { DecodeError } from '#model/errors.ts';
import type { Signal } from '#wire/envelope.ts';
import { ProtobufReader, wireBytes } from '#wire/protobuf/protobuf-reader.ts';

/** Fields of one message that hold messages, by number. */
interface MessageShape {
  readonly [field: number]: readonly [name: string, shape: MessageShape];
}

const leaf: MessageShape = {};
const keyValue: MessageShape = { 2: ['value', leaf] };
const resource: MessageShape = { 1: ['attributes', keyValue] };
const points = (attributes: number, exemplars?: number): MessageShape => ({
  1: [
    'data_points',
    {
      [attributes]: ['attributes', keyValue],
      ...(exemplars === undefined
        ? {}
        : { [exemplars]: ['exemplars', { 7: ['filtered_attributes', keyValue] }] }),
    },
  ],
});
const logRecord: MessageShape = { 5: ['body', leaf], 6: ['attributes', keyValue] };
const span: MessageShape = {
  9: ['attributes', keyValue],
  11: ['events', { 3: ['attributes', keyValue] }],
  13: ['links', { 4: ['attributes', keyValue] }],
  15: ['status', leaf],
};
const metric: MessageShape = {
  5: ['gauge', points(7, 5)],
  7: ['sum', points(7, 5)],
  9: ['histogram', points(9, 8)],
  10: ['exponential_histogram', points(1, 11)],
  11: ['summary', points(7)],
};

const nativeHistogram: MessageShape = { 8: ['negative_spans', leaf], 11: ['positive_spans', leaf] };

function otlpShape(prefix: string, group: string, records: string, record: MessageShape): MessageShape {
  const scope: MessageShape = { 1: ['scope', leaf], 2: [records, record] };
  return { 1: [`resource_${prefix}`, { 1: ['resource', resource], 2: [`scope_${group}`, scope] }] };
}

const requests: Readonly<Record<Signal, readonly [name: string, shape: MessageShape]>> = {
  logs: ['ExportLogsServiceRequest', otlpShape('logs', 'logs', 'log_records', logRecord)],
  traces: ['ExportTraceServiceRequest', otlpShape('spans', 'spans', 'spans', span)],
  metrics: ['ExportMetricsServiceRequest', otlpShape('metrics', 'metrics', 'metrics', metric)],
  remote_write: [
    'remote write request',
    {
      1: [
        'timeseries',
        {
          1: ['labels', leaf],
          2: ['samples', leaf],
          3: ['exemplars', { 1: ['labels', leaf] }],
          4: ['histograms', nativeHistogram],
        },
      ],
      3: ['metadata', leaf],
      5: [
        'timeseries',
        {
          2: ['samples', leaf],
          3: ['histograms', nativeHistogram],
          4: ['exemplars', leaf],
          5: ['metadata', leaf],
        },
      ],
    },
  ],
};

/** Returns the message for the sender of `bytes`, which a transcoder refused with `error`. */
export function describeMalformed(signal: Signal, bytes: Uint8Array, error: DecodeError): string {
  const [name, shape] = requests[signal];
  const path = pathTo(bytes, shape, error.position);
  return `malformed ${name}: ${error.message}${path === '' ? '' : `, in ${path}`}`;
}

/** Returns the path of the innermost known message around a position, '' for the request itself. */
function pathTo(bytes: Uint8Array, root: MessageShape, position: number): string {
  const reader = new ProtobufReader();
  reader.begin(bytes);
  const path: string[] = [];
  let shape = root;
  let seen = new Map<number, number>();
  try {
    while (reader.position < reader.limit) {
      const field = reader.readTag() >>> 3;
      const nested = (reader.tag & 7) === wireBytes ? shape[field] : undefined;
      if (nested === undefined) {
        reader.skip();
        continue;
      }
      const index = seen.get(field) ?? 0;
      seen.set(field, index + 1);
      const outer = reader.enter();
      // At a message's end, where it is its parent's too, a value is missing in it; else the parent goes wrong there.
      const isInside = position < reader.limit || (position === reader.limit && position === outer);
      if (position < reader.position || !isInside) {
        reader.leave(outer);
        continue;
      }
      path.push(`${nested[0]}[${index}]`);
      shape = nested[1];
      seen = new Map();
    }
  } catch (error) {
    // The walk ends where the request is broken: what was found until there is the path.
    if (!(error instanceof DecodeError)) throw error;
  }
  return path.join('.');
}
