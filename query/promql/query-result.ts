/** What a query answers: Prometheus's four value types, and the annotations beside them. */
import type { Labels } from '#model/labels.ts';
import type { FloatHistogram } from './histogram/float-histogram.ts';
import type { Explanation } from './plan/explain.ts';

export interface VectorSample {
  readonly labels: Labels;
  /** NaN where there is a histogram. */
  readonly value: number;
  readonly histogram?: FloatHistogram | undefined;
}

export interface MatrixSeries {
  readonly labels: Labels;
  /** Milliseconds since 1970. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** At other times than the numbers. */
  readonly histograms?:
    | { readonly timestamps: Float64Array; readonly values: readonly FloatHistogram[] }
    | undefined;
}

export type QueryResult =
  | { readonly type: 'scalar'; readonly timeMs: number; readonly value: number }
  | { readonly type: 'string'; readonly timeMs: number; readonly value: string }
  | { readonly type: 'vector'; readonly timeMs: number; readonly samples: readonly VectorSample[] }
  | { readonly type: 'matrix'; readonly series: readonly MatrixSeries[] };

export interface QueryOutcome {
  readonly result: QueryResult;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
  readonly stats: QueryStats;
  /** How the query was executed, where that was asked for. */
  readonly explanation?: Explanation | undefined;
}

/** What a query took. Times are in seconds. */
export interface QueryStats {
  /** Until it was its turn. */
  readonly queueSeconds: number;
  readonly evaluationSeconds: number;
  readonly samples: SampleStats;
}

export interface SampleStats {
  /** Over all steps, what selectors picked and windows held: the same sample counts at each step that uses it. */
  readonly queryable: number;
  /** Once each, as they came from the store. A histogram counts as its buckets and a few. */
  readonly read: number;
  /** Over all selectors: a series that two of them read is two. */
  readonly series: number;
  /** What counts towards the limit on samples: those that were read, and values that were computed. */
  readonly peak: number;
}
