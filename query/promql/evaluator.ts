/** Walks a tree and evaluates it over a grid of steps. Each kind of node has its own file; this one joins them. */

import { evaluateAggregation } from './aggregation/evaluate-aggregation.ts';
import type { Annotations } from './annotations.ts';
import { evaluateBinary, withScalar } from './evaluate-binary.ts';
import { streamRangeCall } from './evaluate-range-call.ts';
import { streamSelector } from './evaluate-selector.ts';
import { type Evaluation, evaluateScalar, evaluateVector, withoutName } from './evaluation.ts';
import type { ValueFunction } from './functions/function-kinds.ts';
import { functionImplementation } from './functions/registry.ts';
import { multiplyHistogram } from './histogram/histogram-arithmetic.ts';
import { hasOneMetric, streamsSeries, vectorSide } from './per-series.ts';
import { sharedKey } from './plan/query-plan.ts';
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
  const key = sharedKey(evaluation.plan, expression, grid);
  if (key === undefined) return evaluateNode(evaluation, expression, grid);
  const series = evaluation.shared.series(evaluation, key, expression, async function* (annotations) {
    const value = await evaluateNode(withAnnotations(evaluation, annotations), expression, grid);
    if (value.kind !== 'vector')
      throw new Error(`BUG: a ${value.kind} was taken for a vector that is shared`);
    yield* value.series;
  });
  return { kind: 'vector', series: await collect(series) };
}

async function evaluateNode(evaluation: Evaluation, expression: Expression, grid: StepGrid): Promise<Value> {
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
  if (grid.count > 1 && isStepInvariant(inner)) {
    yield* await evaluateVector(evaluation, inner, grid);
    return;
  }
  const key = sharedKey(evaluation.plan, inner, grid);
  if (key === undefined) yield* streamNode(evaluation, inner, grid);
  else {
    yield* evaluation.shared.series(evaluation, key, inner, (annotations) =>
      streamNode(withAnnotations(evaluation, annotations), inner, grid),
    );
  }
}

async function* streamNode(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  if (expression.kind === 'vector') {
    yield* streamSelector(evaluation, expression, grid);
    return;
  }
  if (expression.kind === 'call' && streamsSeries(expression, evaluation.delaysNameRemoval)) {
    const implementation = functionImplementation(expression.name);
    if (implementation?.kind === 'range') {
      yield* streamRangeCall(evaluation, expression, implementation, grid);
      return;
    }
    if (implementation?.kind === 'value') {
      yield* streamMapped(evaluation, expression, implementation, grid);
      return;
    }
  }
  if (expression.kind === 'unary' && hasOneMetric(expression)) {
    for await (const one of stream(evaluation, expression.expression, grid)) {
      yield expression.operator === '+' ? one : negate(evaluation, one);
    }
    return;
  }
  const vector = expression.kind === 'binary' ? vectorSide(expression) : undefined;
  if (expression.kind === 'binary' && vector !== undefined && hasOneMetric(vector)) {
    const scalarIsLeft = vector === expression.right;
    const scalar = await evaluateScalar(evaluation, scalarIsLeft ? expression.left : expression.right, grid);
    for await (const one of stream(evaluation, vector, grid)) {
      yield* withScalar(evaluation, expression, [one], scalar, scalarIsLeft).series;
    }
    return;
  }
  const value = await evaluateNode(evaluation, expression, grid);
  if (value.kind !== 'vector') throw new Error(`BUG: a ${value.kind} where the type check saw a vector`);
  yield* value.series;
}

/** The same evaluation whose notes go elsewhere first. */
function withAnnotations(evaluation: Evaluation, annotations: Annotations): Evaluation {
  return createEvaluation({ ...evaluation, annotations });
}

async function evaluateUnary(
  evaluation: Evaluation,
  { operator, expression }: Unary,
  grid: StepGrid,
): Promise<Value> {
  const value = await evaluate(evaluation, expression, grid);
  if (operator === '+' || value.kind === 'string') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: value.values.map((number) => -number) };
  const series = value.series.map((one) => negate(evaluation, one));
  return { kind: 'vector', series: mergeSameLabels(series) };
}

function negate(evaluation: Evaluation, series: StepSeries): StepSeries {
  return withoutName(evaluation, {
    ...series,
    values: series.values.map((number) => -number),
    histograms: series.histograms?.map((histogram) => histogram && multiplyHistogram(histogram, -1)),
  });
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
  implementation: ValueFunction,
  grid: StepGrid,
): Promise<Value> {
  const series = await collect(streamMapped(evaluation, call, implementation, grid));
  return { kind: 'vector', series: mergeSameLabels(series) };
}

async function* streamMapped(
  evaluation: Evaluation,
  call: Call,
  { map }: ValueFunction,
  grid: StepGrid,
): AsyncGenerator<StepSeries> {
  const args: Float64Array[] = [];
  for (const arg of call.args.slice(1)) args.push(await evaluateScalar(evaluation, arg, grid));
  for await (const found of stream(evaluation, call.args[0], grid)) {
    evaluation.budget.addSamples(grid.count);
    const one = numbersOnly(found);
    const values = new Float64Array(grid.count);
    for (let i = 0; i < grid.count; i++) if (one.present[i] === 1) values[i] = map(one.values[i], i, args);
    yield withoutName(evaluation, { ...one, values });
  }
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
