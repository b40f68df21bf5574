/** What the PromQL engine asks of storage. `query/sql/` answers from ClickHouse; tests answer from memory. */
import type { LabelMatcher, Labels } from '#model/labels.ts';
import type { ColumnTask } from './functions/column-kernels.ts';
import type { FloatHistogram } from './histogram/float-histogram.ts';
import type { PushedReads } from './pushed/pushed-source.ts';

/** Samples of one series in time order, timestamps unique. Stale markers are kept as their exact NaN bits. */
export interface SeriesSamples {
  readonly labels: Labels;
  /** Milliseconds since 1970. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** False where the source knows that no value is a stale marker. */
  readonly mayBeStale?: boolean;
  /** When the counter of each sample began, in milliseconds since 1970; 0 where nobody said. */
  readonly startTimes?: Float64Array;
  /** Of the same series, at other times. The end of a series is a stale marker among `values`. */
  readonly histograms?: HistogramSamples;
}

/** In time order; hints of counter resets are decided (histogram/reset-hints.ts). */
export interface HistogramSamples {
  readonly timestamps: Float64Array;
  readonly values: readonly FloatHistogram[];
  readonly startTimes?: Float64Array;
}

export interface SampleRequest {
  readonly matchers: readonly LabelMatcher[];
  /** Left-open: samples with startMs < t <= endMs. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Bounds of a metadata request; both inclusive. */
export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

export type SeriesVisitor = (samples: SeriesSamples) => Promise<void> | undefined;

/** What a kernel has made of a series. The columns are those of the task's steps, and last as long as the visit. */
export interface ComputedSeries {
  readonly labels: Labels;
  /** Samples that were read. */
  readonly sampleCount: number;
  /** Samples that the windows of all steps hold. */
  readonly windowSampleCount: number;
  readonly hasValue: boolean;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

export interface ColumnScan {
  readonly task: ColumnTask;
  readonly visit: (series: ComputedSeries) => Promise<void> | undefined;
}

export interface SampleSource {
  /** Yields each matching series once. Leaving the loop stops the read. */
  select(request: SampleRequest, abort?: AbortSignal): AsyncIterable<SeriesSamples>;
  /**
   * As select, for those who need no series longer than `visit` lasts: the columns are then used for the next one. `visit`
   * answers a promise where the source is to wait. With `columns`, the source may run the kernel itself, in threads: a series is
   * given to one of the two. Absent where it would be no cheaper.
   */
  scan?(
    request: SampleRequest,
    visit: SeriesVisitor,
    abort?: AbortSignal,
    columns?: ColumnScan,
  ): Promise<void>;
  /** Label sets that match any of the matcher lists (all series where the list is empty), sorted. */
  series(matchers: readonly (readonly LabelMatcher[])[], range: TimeRange, limit: number): Promise<Labels[]>;
  labelNames(
    matchers: readonly (readonly LabelMatcher[])[],
    range: TimeRange,
    limit: number,
  ): Promise<string[]>;
  labelValues(
    name: string,
    matchers: readonly (readonly LabelMatcher[])[],
    range: TimeRange,
    limit: number,
  ): Promise<string[]>;
  /** What the store can answer itself; undefined where it has samples only. Used within one query. */
  readonly pushed?: PushedReads | undefined;
  /** Type, help and unit per metric; all metrics where `metric` is undefined. */
  metadata(metric: string | undefined, limit: number): Promise<MetricMetadata[]>;
}

export interface Exemplar {
  /** Of the exemplar itself: mostly trace_id and span_id. */
  readonly labels: Labels;
  readonly timeMs: number;
  readonly value: number;
}

export interface SeriesExemplars {
  readonly labels: Labels;
  /** In order of time. */
  readonly exemplars: readonly Exemplar[];
}

export interface ExemplarSource {
  /** Exemplars of the series that match any of the lists; `limit` counts exemplars. */
  exemplars(
    matchers: readonly (readonly LabelMatcher[])[],
    range: TimeRange,
    limit: number,
  ): Promise<SeriesExemplars[]>;
}

export interface MetricMetadata {
  readonly metric: string;
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}
