/** Metadata of a metric family as remote write sends it, for the `metric_metadata` table. */
import { isUtf8 } from 'node:buffer';
import { ByteView } from '#wire/protobuf/byte-view.ts';
import type { RequestTally } from './request-tally.ts';
import { labelNameBytesMax } from './series-rules.ts';
import { metricType, type SeriesSink } from './series-sink.ts';

export interface MetricFamily {
  readonly name: Uint8Array;
  /** Remote write's number; what is not defined becomes unknown. */
  readonly type: number;
  readonly help: Uint8Array;
  readonly unit: Uint8Array;
}

/** Appends a family's metadata. Not on the hot path: once a day per family, or when its series are announced. */
export function describeFamily(series: SeriesSink, family: MetricFamily, tally: RequestTally): void {
  const { name, unit, help } = family;
  if (name.length === 0 || name.length > labelNameBytesMax || unit.length > labelNameBytesMax) {
    tally.reject('invalid_metadata', 'metadata names no metric family, or a name or unit is too long');
    return;
  }
  if (!isUtf8(name) || !isUtf8(unit) || !isUtf8(help)) {
    tally.reject('invalid_metadata', 'the metadata of a metric family is not UTF-8');
    return;
  }
  series.describe(new ByteView(name), family.type, new ByteView(help), 0, help.length, new ByteView(unit));
}

const suffixes: Readonly<Record<number, readonly string[]>> = {
  [metricType.histogram]: ['_bucket', '_sum', '_count'],
  [metricType.gaugehistogram]: ['_bucket', '_gsum', '_gcount'],
  [metricType.summary]: ['_sum', '_count'],
};

/** Returns the family that a series of a type belongs to: x_bucket of a histogram is of x. */
export function familyName(seriesName: Uint8Array, type: number): Uint8Array {
  for (const suffix of suffixes[type] ?? []) {
    const end = seriesName.length - suffix.length;
    if (end > 0 && Buffer.from(seriesName.subarray(end)).toString('latin1') === suffix) {
      return seriesName.subarray(0, end);
    }
  }
  return seriesName;
}
