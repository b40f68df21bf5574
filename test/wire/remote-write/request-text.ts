/**
 * A remote write 2.0 request as lines of text, decoded by protobufjs; a value's bits are kept, so that a stale marker shows.
 *
 *   renderRequest(bytes)  ->  ['up{job="api"} 1 @1000 gauge "help"', 'gone{} stale @1000']
 *   with more:  a{} 1 @1000 since 500 # {trace_id="x"} 2 @900
 *   histogram:  h{} {count:3 sum:4 schema:0 zero:1@0.5 pos:[0:2,1] neg:[]} @1000
 */
import protobuf from 'protobufjs';

const schema = `
syntax = "proto3";
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries {
  repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
  repeated Exemplar exemplars = 4; Metadata metadata = 5;
}
message Sample { fixed64 value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
message Histogram {
  oneof count { uint64 count_int = 1; double count_float = 2; }
  fixed64 sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  int32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17;
}
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`;
const requestType = protobuf.parse(schema).root.lookupType('Request');
const typeNames = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

interface PlainSpan {
  offset: number;
  length: number;
}

interface PlainHistogram {
  count: 'countInt' | 'countFloat';
  countInt: string;
  countFloat: number;
  sum: string;
  schema: number;
  zeroThreshold: number;
  zeroCountInt: string;
  zeroCountFloat: number;
  negativeSpans: PlainSpan[];
  negativeDeltas: string[];
  negativeCounts: number[];
  positiveSpans: PlainSpan[];
  positiveDeltas: string[];
  positiveCounts: number[];
  resetHint: number;
  timestamp: string;
  customValues: number[];
  startTimestamp: string;
}

interface PlainSeries {
  labelsRefs: number[];
  samples: { value: string; timestamp: string; startTimestamp: string }[];
  histograms: PlainHistogram[];
  exemplars: { labelsRefs: number[]; value: number; timestamp: string }[];
  metadata: null | { type: number; helpRef: number; unitRef: number };
}

interface PlainRequest {
  symbols: string[];
  timeseries: PlainSeries[];
}

export function decodeRequest(bytes: Uint8Array): PlainRequest {
  const options = { longs: String, defaults: true, oneofs: true, arrays: true };
  return requestType.toObject(requestType.decode(bytes), options) as PlainRequest;
}

export function renderRequest(bytes: Uint8Array): string[] {
  const { symbols, timeseries } = decodeRequest(bytes);
  if (symbols[0] !== '') throw new Error('the first symbol is not ""');
  return timeseries.flatMap((series) => {
    const { metadata } = series;
    const pairs = labelPairs(series.labelsRefs, symbols);
    const names = pairs.map(([name]) => name);
    if (names.join() !== [...names].sort().join()) throw new Error(`labels are not sorted: ${names}`);
    const metric = pairs.find(([name]) => name === '__name__')?.[1] ?? '';
    const head = `${metric}{${renderPairs(pairs.filter(([name]) => name !== '__name__'))}}`;
    const meta = metadata ? ` ${typeNames[metadata.type]} "${symbols[metadata.helpRef]}"` : '';
    const unit = metadata && metadata.unitRef > 0 ? ` ${symbols[metadata.unitRef]}` : '';
    const exemplars = series.exemplars
      .map(
        ({ labelsRefs, value, timestamp }) =>
          ` # {${renderPairs(labelPairs(labelsRefs, symbols))}} ${value} @${timestamp}`,
      )
      .join('');
    const records = [
      ...series.samples.map((sample) => `${renderValue(BigInt(sample.value))}${renderTimes(sample)}`),
      ...series.histograms.map((histogram) => `${renderHistogram(histogram)}${renderTimes(histogram)}`),
    ];
    return records.map((record) => `${head} ${record}${exemplars}${meta}${unit}`);
  });
}

/** Sorts lines by their series: only what is of one series has an order in a request. */
export function bySeries(lines: readonly string[]): string[] {
  const seriesOf = (line: string): string => line.slice(0, line.indexOf('} ') + 1);
  return lines.toSorted((a, b) => (seriesOf(a) < seriesOf(b) ? -1 : seriesOf(a) > seriesOf(b) ? 1 : 0));
}

function labelPairs(refs: readonly number[], symbols: readonly string[]): [string, string][] {
  return refs.flatMap((ref, i) => (i % 2 === 0 ? [[symbols[ref]!, symbols[refs[i + 1]!]!]] : []));
}

function renderPairs(pairs: readonly (readonly [string, string])[]): string {
  return pairs.map(([name, value]) => `${name}="${value}"`).join(',');
}

function renderTimes({ timestamp, startTimestamp }: { timestamp: string; startTimestamp: string }): string {
  return ` @${timestamp}${startTimestamp === '0' ? '' : ` since ${startTimestamp}`}`;
}

function renderHistogram(histogram: PlainHistogram): string {
  const sum = renderValue(BigInt(histogram.sum));
  if (sum === 'stale') return 'stale histogram';
  const isFloat = histogram.count === 'countFloat';
  const count = isFloat ? `${histogram.countFloat}f` : histogram.countInt;
  const zero = isFloat ? histogram.zeroCountFloat : histogram.zeroCountInt;
  const positive = renderSide(histogram.positiveSpans, histogram.positiveDeltas, histogram.positiveCounts);
  const negative = renderSide(histogram.negativeSpans, histogram.negativeDeltas, histogram.negativeCounts);
  const custom = histogram.customValues.length > 0 ? ` custom:[${histogram.customValues}]` : '';
  const gauge = histogram.resetHint === 3 ? ' gauge' : '';
  return `{count:${count} sum:${sum} schema:${histogram.schema} zero:${zero}@${histogram.zeroThreshold} pos:[${positive}] neg:[${negative}]${custom}${gauge}}`;
}

/** `offset:count,count` for each span. */
function renderSide(
  spans: readonly PlainSpan[],
  deltas: readonly string[],
  floats: readonly number[],
): string {
  let total = 0;
  const counts =
    floats.length > 0
      ? floats
      : deltas.map((delta) => {
          total += Number(delta);
          return total;
        });
  let next = 0;
  const texts = spans.map(({ offset, length }) => {
    const start = next;
    next += length;
    return `${offset}:${counts.slice(start, next).join()}`;
  });
  return texts.join(' ');
}

function renderValue(bits: bigint): string {
  if (bits === 0x7ff0000000000002n) return 'stale';
  const value = new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
  return Object.is(value, -0) ? '-0' : String(value);
}
