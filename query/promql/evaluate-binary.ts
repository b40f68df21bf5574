/** Binary operators: dispatches on the sides' types; scalars with scalars and vectors are worked here. */
import { numberOperator } from './binary-operators.ts';
import { type Evaluation, withoutName } from './evaluation.ts';
import { executionError } from './execution-error.ts';
import { incompatibleTypes } from './histogram/histogram-notes.ts';
import { operateOnHistograms } from './histogram/histogram-operators.ts';
import { evaluateSetOperator } from './set-operator.ts';
import {
  emptyMixedSeries,
  emptySeries,
  mergeSameLabels,
  type StepGrid,
  type StepSeries,
  setValue,
  type Value,
  type VectorValue,
} from './step-series.ts';
import { type Binary, isSetOperator, isTrim, losesMetricName } from './tree.ts';
import { matchVectors } from './vector-matching.ts';

export async function evaluateBinary(
  evaluation: Evaluation,
  expression: Binary,
  grid: StepGrid,
): Promise<Value> {
  const left = await evaluation.evaluate(expression.left, grid);
  const right = await evaluation.evaluate(expression.right, grid);
  if (left.kind === 'string' || right.kind === 'string')
    throw new Error('BUG: a string in a binary expression');
  if (left.kind === 'vector' && right.kind === 'vector') {
    const evaluatePair = isSetOperator(expression.operator) ? evaluateSetOperator : matchVectors;
    return { kind: 'vector', series: evaluatePair(evaluation, expression, left.series, right.series, grid) };
  }
  if (left.kind === 'scalar' && right.kind === 'scalar') {
    if (isTrim(expression.operator)) {
      throw executionError(`operator "${expression.operator}" not allowed for Scalar operations`);
    }
    const { value } = numberOperator(expression.operator, true);
    return { kind: 'scalar', values: left.values.map((number, i) => value(number, right.values[i])) };
  }
  if (left.kind === 'vector' && right.kind === 'scalar') {
    return withScalar(evaluation, expression, left.series, right.values, false);
  }
  if (left.kind === 'scalar' && right.kind === 'vector') {
    return withScalar(evaluation, expression, right.series, left.values, true);
  }
  throw new Error('BUG: the sides of a binary expression are neither scalars nor vectors');
}

/** Each series with the scalar. */
export function withScalar(
  evaluation: Evaluation,
  expression: Binary,
  series: readonly StepSeries[],
  scalar: Float64Array,
  scalarIsLeft: boolean,
): VectorValue {
  const { operator, returnsBool } = expression;
  const { value, keeps } = numberOperator(operator, returnsBool);
  const losesName = losesMetricName(operator) || returnsBool;
  const results: StepSeries[] = [];
  for (const one of series) {
    const empty = one.histograms === undefined ? emptySeries : emptyMixedSeries;
    const result = empty(one.labels, scalar.length, one.dropsName);
    let hasValue = false;
    for (let i = 0; i < scalar.length; i++) {
      if (one.present[i] === 0) continue;
      const histogram = one.histograms?.[i];
      if (histogram !== undefined) {
        const [first, second] = scalarIsLeft ? [scalar[i], histogram] : [histogram, scalar[i]];
        const combined = operateOnHistograms(expression, evaluation.annotations, first, second);
        if (typeof combined === 'string') continue;
        setValue(result, i, combined);
        hasValue = true;
        continue;
      }
      if (isTrim(operator)) {
        evaluation.annotations.inform(incompatibleTypes(0, operator, 0), expression);
        continue;
      }
      const left = scalarIsLeft ? scalar[i] : one.values[i];
      const right = scalarIsLeft ? one.values[i] : scalar[i];
      if (keeps !== undefined && !keeps(left, right)) continue;
      // A comparison answers the vector's value, on whichever side it stands.
      result.values[i] = keeps === undefined ? value(left, right) : one.values[i];
      result.present[i] = 1;
      hasValue = true;
    }
    if (hasValue) results.push(losesName ? withoutName(evaluation, result) : result);
  }
  return { kind: 'vector', series: mergeSameLabels(results) };
}
