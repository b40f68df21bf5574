/**
 * Walks a page of metrics in Prometheus' protobuf format: messages of io.prometheus.client, each behind its length.
 *
 *   page         => (length:varint MetricFamily)*
 *   MetricFamily => name:1 help:2 type:3 enum metric:4 Metric* unit:5
 *   Metric       => label:1 LabelPair* gauge:2 counter:3 summary:4 untyped:5 timestamp_ms:6 histogram:7
 *   LabelPair    => name:1 value:2
 *
 * A family's series are those that the text format has (name_bucket, name_sum, ...), and name for a native histogram.
 */
import { DecodeError } from '#model/errors.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import type { MetricType } from '#wire/remote-write/request-encoder.ts';
import { ExpositionError } from '../exposition-error.ts';
import { decodeText, readText } from './message-values.ts';
import { type HistogramSettings, MetricReader, type MetricSink } from './metric-reader.ts';

/** MetricType of io.prometheus.client, by number. */
const types: readonly MetricType[] = [
  'counter',
  'gauge',
  'summary',
  'unknown',
  'histogram',
  'gaugehistogram',
];

/** Parses a page. Throws ExpositionError, whose line counts the families. */
export function parseProtobufPage(page: Uint8Array, settings: HistogramSettings, sink: MetricSink): void {
  const reader = new ProtobufReader();
  const metrics = new MetricReader(reader, settings, sink);
  reader.begin(page);
  for (let family = 1; reader.position < reader.limit; family++) {
    try {
      const outer = reader.enter();
      readFamily(reader, metrics, sink);
      reader.leave(outer);
    } catch (error) {
      if (error instanceof ExpositionError)
        throw new ExpositionError(error.fact, family, 'metric family', { cause: error });
      if (!(error instanceof DecodeError)) throw error;
      throw new ExpositionError(error.message, family, 'metric family', { cause: error });
    }
  }
}

function readFamily(reader: ProtobufReader, metrics: MetricReader, sink: MetricSink): void {
  const start = reader.position;
  const end = reader.limit;
  let nameStart = start;
  let nameEnd = start;
  let help = '';
  let unit = '';
  let typeNumber = 0;
  while (reader.position < end) {
    const tag = reader.readTag();
    if (tag === 0x0a) {
      nameStart = reader.passBytes();
      nameEnd = reader.position;
    } else if (tag === 0x12) help = readText(reader);
    else if (tag === 0x18) typeNumber = reader.readVarint();
    else if (tag === 0x2a) unit = readText(reader);
    else reader.skip();
  }
  const name = decodeText(reader, nameStart, nameEnd);
  const type = types[typeNumber];
  if (name === '') throw new DecodeError('a metric family has no name', start);
  if (type === undefined) {
    throw new DecodeError(`the metric family ${name} has type ${typeNumber}, which is not defined`, start);
  }
  sink.family(name, type, help, unit);
  metrics.beginFamily(name, nameStart, nameEnd, type);
  reader.seek(start, end);
  while (reader.position < end) {
    if (reader.readTag() !== 0x22) {
      reader.skip();
      continue;
    }
    const outer = reader.enter();
    metrics.readMetric();
    reader.leave(outer);
  }
}
