/**
 * Native histograms as promqltest scripts write them.
 *
 *   parseHistogram('{{schema:0 count:4 sum:5 buckets:[1 2 1]}}')  ->  (0.5,1]: 1, (1,2]: 2, (2,4]: 1
 */
import {
  type Buckets,
  compact,
  customSchema,
  type FloatHistogram,
  type ResetHint,
} from '#query/promql/histogram/float-histogram.ts';

export interface NotedHistogram {
  readonly histogram: FloatHistogram;
  /** Whether the hint was written, so that it is to be compared. */
  readonly hasHint: boolean;
}

/** Throws on text that is no histogram. */
export function parseHistogram(text: string): NotedHistogram {
  const inner = /^\{\{(.*)\}\}$/s.exec(text)?.[1];
  if (inner === undefined) throw new Error(`no histogram: ${text}`);
  const fields = new Map<string, string>();
  for (const [, key, value] of inner.matchAll(/(\w+):(\[[^\]]*\]|\S+)/g)) fields.set(key, value);
  const known =
    'schema sum count z_bucket z_bucket_w custom_values buckets offset n_buckets n_offset counter_reset_hint';
  for (const key of fields.keys())
    if (!known.split(' ').includes(key)) throw new Error(`no such key: ${key}`);
  const number = (key: string) => toNumber(fields.get(key) ?? '0');
  const list = (key: string) =>
    (fields.get(key) ?? '[]')
      .slice(1, -1)
      .trim()
      .split(/\s+/)
      .filter((item) => item !== '')
      .map(toNumber);
  const schema = number('schema');
  const histogram: FloatHistogram = {
    schema,
    resetHint: (fields.get('counter_reset_hint') ?? 'unknown') as ResetHint,
    sum: number('sum'),
    count: number('count'),
    zeroCount: number('z_bucket'),
    zeroThreshold: number('z_bucket_w'),
    positive: bucketsAt(number('offset'), list('buckets')),
    negative: bucketsAt(number('n_offset'), list('n_buckets')),
    customBounds: schema === customSchema ? Float64Array.from(list('custom_values')) : undefined,
  };
  return { histogram: compact(histogram), hasHint: fields.has('counter_reset_hint') };
}

function bucketsAt(offset: number, counts: readonly number[]): Buckets {
  return { indexes: Int32Array.from(counts, (_count, i) => offset + i), counts: Float64Array.from(counts) };
}

function toNumber(text: string): number {
  if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(text)) return NaN;
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`no number: ${text}`);
  return value;
}
