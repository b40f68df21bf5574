/** What all parts of the evaluator share while one query runs. */
import type { Annotations } from './annotations.ts';
import type { QueryPlan } from './plan/query-plan.ts';
import type { SharedValues } from './pushed/shared-values.ts';
import type { QueryBudget } from './query-budget.ts';
import type { SampleSource } from './source.ts';
import { dropMetricSchema, type StepGrid, type StepSeries, type Value } from './step-series.ts';
import type { AtModifier, Expression, VectorSelector } from './tree.ts';

export interface Evaluation {
  readonly text: string;
  readonly source: SampleSource;
  readonly lookbackMs: number;
  /** Bounds of the whole query; equal for an instant query. */
  readonly queryStartMs: number;
  readonly queryEndMs: number;
  /** Zero for an instant query. */
  readonly queryStepMs: number;
  /** The step of subqueries that name none. */
  readonly subqueryStepMs: number;
  /** Names go when the whole query is done, not in the function that makes them meaningless. */
  readonly delaysNameRemoval: boolean;
  /** Selectors of whose histograms only count and sum are asked for. */
  readonly statsOnlySelectors: ReadonlySet<VectorSelector>;
  readonly plan: QueryPlan;
  readonly shared: SharedValues;
  /** Reads a part of series that are counted where they are put together. */
  readonly readsParts: boolean;
  readonly budget: QueryBudget;
  readonly annotations: Annotations;
  readonly abort: AbortSignal;
  evaluate(expression: Expression, grid: StepGrid): Promise<Value>;
  /** The series of a vector expression one by one; those of selectors are not kept. */
  stream(expression: Expression, grid: StepGrid): AsyncIterable<StepSeries>;
}

/** Evaluates an expression that the type check knows to be a vector. */
export async function evaluateVector(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
): Promise<readonly StepSeries[]> {
  const value = await evaluation.evaluate(expression, grid);
  if (value.kind !== 'vector') throw new Error(`BUG: a ${value.kind} where the type check saw a vector`);
  return value.series;
}

/** Evaluates an expression that the type check knows to be a scalar. */
export async function evaluateScalar(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
): Promise<Float64Array> {
  const value = await evaluation.evaluate(expression, grid);
  if (value.kind !== 'scalar') throw new Error(`BUG: a ${value.kind} where the type check saw a scalar`);
  return value.values;
}

/** The text of an expression that the type check knows to be a string. */
export function stringOf(expression: Expression): string {
  let inner = expression;
  while (inner.kind === 'parentheses') inner = inner.expression;
  if (inner.kind !== 'string') throw new Error(`BUG: a ${inner.kind} where the type check saw a string`);
  return inner.value;
}

/** The time that an `@` modifier fixes, undefined without one. */
export function fixedTimeMs(
  evaluation: Pick<Evaluation, 'queryStartMs' | 'queryEndMs'>,
  at: AtModifier | undefined,
): number | undefined {
  if (at === 'start') return evaluation.queryStartMs;
  if (at === 'end') return evaluation.queryEndMs;
  return at;
}

/** The same values without the metric's name: at once, or marked to lose it at the end. */
export function withoutName(evaluation: Evaluation, series: StepSeries): StepSeries {
  if (evaluation.delaysNameRemoval) return { ...series, dropsName: true };
  return { ...series, labels: dropMetricSchema(series.labels) };
}
