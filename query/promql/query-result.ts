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
  /** How the query was executed, where that was asked for. */
  readonly explanation?: Explanation | undefined;
}
