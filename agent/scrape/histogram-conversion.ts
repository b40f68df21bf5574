/**
 * The classic histograms of a text page that become native ones: their lines stand together, and each says a part.
 *
 *   h_bucket{le="1"} 1, h_bucket{le="+Inf"} 2, h_sum 3, h_count 2, other 5   ->  at `other`: one sample of h
 */
import { metricNameLabel } from '#model/labels.ts';
import { CustomHistogram } from './custom-histogram.ts';
import type { PageExemplar } from './exemplar-memory.ts';
import type { MetricFamily } from './metric-families.ts';

type Kind = 'bucket' | 'sum' | 'count';

/** A line of a classic histogram. */
export interface HistogramLine {
  readonly kind: Kind;
  readonly bound: number;
  /** The series of the native histogram, or droppedText. */
  readonly series: number;
  /** The series of the line itself, where classic histograms are kept too; or droppedText. */
  readonly classicSeries: number | undefined;
  readonly group: number;
}

export interface ConvertedHistogram {
  readonly series: number;
  readonly timestampMs: number;
  readonly group: number;
  readonly exemplars: readonly PageExemplar[];
  /** Undefined where the buckets contradict each other. */
  readonly bytes: Uint8Array | undefined;
  readonly bucketCount: number;
}

export class HistogramConversion {
  #lines: HistogramLine[] = [];
  readonly #histogram = new CustomHistogram();
  #open: HistogramLine | undefined;
  #timestampMs = Number.NaN;
  #exemplars: PageExemplar[] = [];

  /** Returns the number of a line that is new. */
  add(line: HistogramLine): number {
    return this.#lines.push(line) - 1;
  }

  line(number: number): HistogramLine {
    return this.#lines[number]!;
  }

  /** Whether a histogram is open that the line does not belong to. */
  isOtherThan(line: HistogramLine | undefined): boolean {
    return this.#open !== undefined && (line === undefined || line.series !== this.#open.series);
  }

  take(line: HistogramLine, value: number, timestampMs: number, exemplars: readonly PageExemplar[]): void {
    if (this.#open === undefined) this.#timestampMs = timestampMs;
    this.#open = line;
    if (line.kind === 'bucket') this.#histogram.setBucket(line.bound, value);
    else if (line.kind === 'sum') this.#histogram.setSum(value);
    else this.#histogram.setCount(value);
    // Without a time nothing says whether an exemplar of a native histogram is new: Prometheus leaves it out, too.
    for (const exemplar of exemplars) if (!Number.isNaN(exemplar.timestampMs)) this.#exemplars.push(exemplar);
  }

  /** Ends the histogram that is open. */
  end(): ConvertedHistogram | undefined {
    const open = this.#open;
    if (!open) return undefined;
    const bytes = this.#histogram.encode();
    const converted = {
      series: open.series,
      timestampMs: this.#timestampMs,
      group: open.group,
      exemplars: this.#exemplars,
      bytes,
      bucketCount: this.#histogram.bucketCount,
    };
    this.beginPage();
    return converted;
  }

  /** Forgets the histogram of a page that was given up. */
  beginPage(): void {
    this.#open = undefined;
    this.#exemplars = [];
    this.#histogram.clear();
  }

  clear(): void {
    this.#lines = [];
  }
}

/** Returns which part of a histogram a series is, with its bound; undefined where it is none. */
export function histogramPart(
  labels: ReadonlyMap<string, string>,
  { name, type }: MetricFamily,
): { readonly kind: Kind; readonly bound: number } | undefined {
  if (type !== 'histogram') return undefined;
  const suffix = labels.get(metricNameLabel)!.slice(name.length);
  const le = labels.get('le');
  if (suffix === '_bucket' && le !== undefined) return { kind: 'bucket', bound: boundOf(le) };
  if (suffix === '_sum') return { kind: 'sum', bound: Number.NaN };
  return suffix === '_count' ? { kind: 'count', bound: Number.NaN } : undefined;
}

/** Returns the labels of the native histogram that a series is a part of. */
export function histogramLabels(
  labels: ReadonlyMap<string, string>,
  { name }: MetricFamily,
): Map<string, string> {
  const own = new Map(labels);
  own.delete('le');
  return own.set(metricNameLabel, name);
}

/** `le` as normalizedBound writes it. */
function boundOf(le: string): number {
  if (le === '+Inf') return Number.POSITIVE_INFINITY;
  return le === '-Inf' ? Number.NEGATIVE_INFINITY : Number(le.trim() === '' ? Number.NaN : le);
}
