/** Walks a tree and evaluates it over a grid of steps. Each kind of node has its own file; this one joins them. */

import { evaluateAggregation } from './aggregation/evaluate-aggregation.ts';
import { evaluateBinary } from './evaluate-binary.ts';
import { streamRangeCall } from './evaluate-range-call.ts';
import { streamSelector } from './evaluate-selector.ts';
import { type Evaluation, evaluateScalar, evaluateVector, withoutName } from './evaluation.ts';
import type { ValueFunction } from './functions/function-kinds.ts';
import { functionImplementation } from './functions/registry.ts';
import { multiplyHistogram } from './histogram/histogram-arithmetic.ts';
import { isStepInvariant } from './step-invariance.ts';
import {
  assertUniqueLabels,
  constantScalar,
  mergeSameLabels,
  numbersOnly,
  type StepGrid,
  type StepSeries,
  type Value,
} from './step-series.ts';
import { type Call, type Expression, type Unary, unwrapParentheses } from './tree.ts';
import { hasUniqueLabels } from './unique-labels.ts';

/** Gives the parts of an evaluation their way back to the whole. */
export function createEvaluation(parts: Omit<Evaluation, 'evaluate' | 'stream'>): Evaluation {
  const evaluation: Evaluation = {
    ...parts,
    evaluate: (expression, grid) => evaluate(evaluation, expression, grid),
    stream: (expression, grid) => stream(evaluation, expression, grid),
  };
  return evaluation;
}

async function evaluate(evaluation: Evaluation, expression: Expression, grid: StepGrid): Promise<Value> {
  evaluation.abort.throwIfAborted();
  if (grid.count > 1 && expression.kind !== 'number' && isStepInvariant(expression)) {
    return broadcast(evaluation, await evaluate(evaluation, expression, { ...grid, count: 1 }), grid);
  }
  switch (expression.kind) {
    case 'number':
      return constantScalar(expression.value, grid.count);
    case 'string':
      return { kind: 'string', value: expression.value };
    case 'vector':
      return { kind: 'vector', series: await collect(streamSelector(evaluation, expression, grid)) };
    case 'parentheses':
      return evaluate(evaluation, expression.expression, grid);
    case 'unary':
      return evaluateUnary(evaluation, expression, grid);
    case 'binary':
      return evaluateBinary(evaluation, expression, grid);
    case 'aggregation':
      return evaluateAggregation(evaluation, expression, grid);
    case 'call':
      return evaluateCall(evaluation, expression, grid);
    case 'matrix':
    case 'subquery':
      throw new Error('BUG: a range vector is evaluated by the function around it');
    default:
      return expression satisfies never;
  }
}

async function collect(stream: AsyncIterable<StepSeries>): Promise<StepSeries[]> {
  const series: StepSeries[] = [];
  for await (const one of stream) series.push(one);
  return series;
}

async function* stream(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  const inner = unwrapParentheses(expression);
  const isInvariant = grid.count > 1 && isStepInvariant(inner);
  if (inner.kind === 'vector' && !isInvariant) {
    yield* streamSelector(evaluation, inner, grid);
    return;
  }
  if (inner.kind === 'call' && !isInvariant && hasUniqueLabels(evaluation, inner)) {
    const implementation = functionImplementation(inner.name);
    if (implementation?.kind === 'range') {
      yield* streamRangeCall(evaluation, inner, implementation, grid);
      return;
    }
  }
  yield* await evaluateVector(evaluation, inner, grid);
}

async function evaluateUnary(
  evaluation: Evaluation,
  { operator, expression }: Unary,
  grid: StepGrid,
): Promise<Value> {
  const value = await evaluate(evaluation, expression, grid);
  if (operator === '+' || value.kind === 'string') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: value.values.map((number) => -number) };
  const series = value.series.map((one) =>
    withoutName(evaluation, {
      ...one,
      values: one.values.map((number) => -number),
      histograms: one.histograms?.map((histogram) => histogram && multiplyHistogram(histogram, -1)),
    }),
  );
  return { kind: 'vector', series: mergeSameLabels(series) };
}

async function evaluateCall(evaluation: Evaluation, call: Call, grid: StepGrid): Promise<Value> {
  const implementation = functionImplementation(call.name);
  if (implementation === undefined) throw new Error(`BUG: ${call.name} was not refused before`);
  switch (implementation.kind) {
    case 'range': {
      const series = await collect(streamRangeCall(evaluation, call, implementation, grid));
      if (!evaluation.delaysNameRemoval) assertUniqueLabels(series);
      return { kind: 'vector', series };
    }
    case 'value':
      return mapValues(evaluation, call, implementation, grid);
    case 'whole': {
      const value = await implementation.evaluate(evaluation, call, grid);
      return value.kind === 'vector' ? { kind: 'vector', series: mergeSameLabels(value.series) } : value;
    }
    default:
      return implementation satisfies never;
  }
}

async function mapValues(
  evaluation: Evaluation,
  call: Call,
  { map }: ValueFunction,
  grid: StepGrid,
): Promise<Value> {
  const input = await evaluateVector(evaluation, call.args[0], grid);
  const args: Float64Array[] = [];
  for (const arg of call.args.slice(1)) args.push(await evaluateScalar(evaluation, arg, grid));
  evaluation.budget.addSamples(input.length * grid.count);
  const series = input.map(numbersOnly).map((one) => {
    const values = new Float64Array(grid.count);
    for (let i = 0; i < grid.count; i++) if (one.present[i] === 1) values[i] = map(one.values[i], i, args);
    return withoutName(evaluation, { ...one, values });
  });
  return { kind: 'vector', series: mergeSameLabels(series) };
}

/** Repeats what was computed for one step at all steps. */
function broadcast(evaluation: Evaluation, value: Value, grid: StepGrid): Value {
  if (value.kind === 'string') return value;
  if (value.kind === 'scalar') return constantScalar(value.values[0], grid.count);
  evaluation.budget.addSamples(value.series.length * grid.count);
  const series = value.series.map((one) => ({
    ...one,
    values: new Float64Array(grid.count).fill(one.values[0]),
    present: new Uint8Array(grid.count).fill(one.present[0]),
    histograms: one.histograms && new Array(grid.count).fill(one.histograms[0]),
  }));
  return { kind: 'vector', series };
}
