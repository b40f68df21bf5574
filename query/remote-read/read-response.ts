/**
 * Prometheus's ReadResponse: all samples in one message, for readers that do not know chunks.
 *
 *   ReadResponse => results:{ timeseries:{ labels samples histograms }* }*
 */
import type { FloatHistogram } from '../promql/histogram/float-histogram.ts';
import { highIndex, lowIndex } from '../promql/sample-window.ts';
import type { SeriesSamples } from '../promql/source.ts';
import { ProtobufWriter } from '../protobuf/protobuf-writer.ts';
import { spansOf } from './histogram-spans.ts';

/** One list of series for each query, in the order of the queries. Not compressed yet. */
export function encodeReadResponse(results: readonly (readonly SeriesSamples[])[]): Uint8Array {
  const response = new ProtobufWriter();
  for (const result of results) {
    response.message(1, (query) => {
      for (const series of result) query.message(1, (inner) => writeSeries(inner, series));
    });
  }
  return response.finish();
}

function writeSeries(writer: ProtobufWriter, series: SeriesSamples): void {
  const { labels, timestamps, values, histograms } = series;
  for (const [name, value] of labels) writer.message(1, (label) => label.text(1, name).text(2, value));
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
  for (let i = 0; i < timestamps.length; i++) {
    writer.message(2, (sample) =>
      sample.doubleBytes(1, words[2 * i + lowIndex], words[2 * i + highIndex]).varint(2, timestamps[i]),
    );
  }
  for (let i = 0; i < (histograms?.values.length ?? 0); i++) {
    writer.message(4, (inner) => writeHistogram(inner, histograms!.values[i], histograms!.timestamps[i]));
  }
}

/** As Prometheus numbers them. */
const hintNumbers: Readonly<Record<FloatHistogram['resetHint'], number>> = {
  unknown: 0,
  reset: 1,
  not_reset: 2,
  gauge: 3,
};

/** Counts are written as doubles also where they are 0: their fields say that it is a float histogram. */
function writeHistogram(writer: ProtobufWriter, histogram: FloatHistogram, timeMs: number): void {
  const { positive, negative, customBounds } = histogram;
  writer.double(2, histogram.count).double(3, histogram.sum);
  writer.varint(4, histogram.schema < 0 ? -2 * histogram.schema - 1 : 2 * histogram.schema);
  writer.double(5, histogram.zeroThreshold).double(7, histogram.zeroCount);
  writeSpans(writer, 8, negative.indexes);
  writeDoubles(writer, 10, negative.counts);
  writeSpans(writer, 11, positive.indexes);
  writeDoubles(writer, 13, positive.counts);
  writer.varint(14, hintNumbers[histogram.resetHint]).varint(15, timeMs);
  if (customBounds !== undefined) writeDoubles(writer, 16, customBounds);
}

function writeSpans(writer: ProtobufWriter, field: number, indexes: Int32Array): void {
  for (const { offset, length } of spansOf(indexes)) {
    writer.message(field, (span) =>
      span.varint(1, offset < 0 ? -2 * offset - 1 : 2 * offset).varint(2, length),
    );
  }
}

/** Packed. */
function writeDoubles(writer: ProtobufWriter, field: number, values: Float64Array): void {
  if (values.length === 0) return;
  const bytes = Buffer.allocUnsafe(values.length * 8);
  for (const [i, value] of values.entries()) bytes.writeDoubleLE(value, i * 8);
  writer.bytes(field, bytes);
}
