/**
 * LogQL as a tree. Immutable; positions are not kept, mistakes have been reported by then.
 *
 *   sum by (level) (rate({app="a"} |= "x" [5m]))
 *     aggregation sum by [level] of range rate over 5 m of log app="a" |= "x"
 */
import type { LogSelection } from './source.ts';

/** Lines: `{app="a"} |= "x"`. */
export interface LogExpr extends LogSelection {
  readonly kind: 'log';
}

export const rangeFunctions = ['count_over_time', 'rate', 'bytes_over_time', 'bytes_rate'] as const;
export type RangeFunction = (typeof rangeFunctions)[number];

/** Of each stream, at time t, the lines in (t - offset - range, t - offset]. */
export interface RangeExpr {
  readonly kind: 'range';
  readonly name: RangeFunction;
  readonly log: LogExpr;
  readonly rangeNano: bigint;
  readonly offsetNano: bigint;
}

export const aggregators = ['sum', 'avg', 'min', 'max', 'count'] as const;
export type Aggregator = (typeof aggregators)[number];

export interface AggregationExpr {
  readonly kind: 'aggregation';
  readonly name: Aggregator;
  /** Absent: one group of everything. */
  readonly grouping?: Grouping;
  readonly inner: MetricExpr;
}

export interface Grouping {
  readonly word: 'by' | 'without';
  readonly labels: readonly string[];
}

/** `vector(1)`: one sample without labels. */
export interface VectorExpr {
  readonly kind: 'vector';
  readonly value: number;
}

export interface NumberExpr {
  readonly kind: 'number';
  readonly value: number;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^';

/** Two vectors are matched one to one on all labels. */
export interface BinaryExpr {
  readonly kind: 'binary';
  readonly op: ArithmeticOperator;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
}

export type MetricExpr = RangeExpr | AggregationExpr | VectorExpr | NumberExpr | BinaryExpr;
export type LogqlExpr = LogExpr | MetricExpr;
