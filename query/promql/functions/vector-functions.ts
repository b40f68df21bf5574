/** Functions between scalars and vectors, of presence, and of bounds. */
import { type LabelMatcher, type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import { rangeArgument, streamRangeCall } from '../evaluate-range-call.ts';
import { evaluateScalar, evaluateVector, withoutName } from '../evaluation.ts';
import { goMax, goMin } from '../go-extremes.ts';
import { emptySeries, numbersOnly, type StepGrid, type StepSeries, type Value } from '../step-series.ts';
import { type Expression, unwrapParentheses } from '../tree.ts';
import type { FunctionFamily, RangeFunction, WholeFunction } from './function-kinds.ts';

/** The value of the only series with a number at a step, else NaN. */
const scalar: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const values = new Float64Array(grid.count).fill(NaN);
    const counts = new Uint32Array(grid.count);
    for (const one of await evaluateVector(evaluation, call.args[0], grid)) {
      for (let i = 0; i < grid.count; i++) {
        if (one.present[i] === 0 || one.histograms?.[i] !== undefined) continue;
        counts[i]++;
        values[i] = counts[i] === 1 ? one.values[i] : NaN;
      }
    }
    return { kind: 'scalar', values };
  },
};

const vector: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const values = await evaluateScalar(evaluation, call.args[0], grid);
    const present = new Uint8Array(grid.count).fill(1);
    return { kind: 'vector', series: [{ labels: [], dropsName: false, values, present }] };
  },
};

/** Labels that a selector's equality matchers fix: what an absent series would have had. */
function labelsOfAbsent(argument: Expression): Labels {
  const inner = unwrapParentheses(argument);
  const selector = inner.kind === 'matrix' ? inner.selector : inner;
  if (selector.kind !== 'vector') return [];
  const byName = Map.groupBy(selector.matchers, (matcher: LabelMatcher) => matcher.name);
  const pairs: [string, string][] = [];
  for (const [name, matchers] of byName) {
    const isFixed = name !== metricNameLabel && matchers.length === 1 && matchers[0].op === '=';
    if (isFixed) pairs.push([name, matchers[0].value]);
  }
  return sortLabels(pairs);
}

function absence(labels: Labels, grid: StepGrid, input: readonly StepSeries[], dropsName: boolean): Value {
  const present = new Uint8Array(grid.count).fill(1);
  for (const one of input) {
    for (let i = 0; i < grid.count; i++) if (one.present[i] === 1) present[i] = 0;
  }
  const values = new Float64Array(grid.count).fill(1);
  const series = present.includes(1) ? [{ labels, dropsName, values, present }] : [];
  return { kind: 'vector', series };
}

const absent: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const input = await evaluateVector(evaluation, call.args[0], grid);
    return absence(labelsOfAbsent(call.args[0]), grid, input, false);
  },
};

const presence: RangeFunction = {
  kind: 'range',
  histogramKernel: () => 1,
  kernel: (window) => {
    window.result = 1;
    return true;
  },
};

const absentOverTime: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const input: StepSeries[] = [];
    for await (const one of streamRangeCall(evaluation, call, presence, grid)) input.push(one);
    return absence(labelsOfAbsent(rangeArgument(call)), grid, input, evaluation.delaysNameRemoval);
  },
};

/** Where the upper bound is below the lower, there is no value at all. */
const clamp: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const input = await evaluateVector(evaluation, call.args[0], grid);
    const least = await evaluateScalar(evaluation, call.args[1], grid);
    const most = await evaluateScalar(evaluation, call.args[2], grid);
    const series = input.map(numbersOnly).map((one) => {
      const clamped = emptySeries(one.labels, grid.count, one.dropsName);
      for (let i = 0; i < grid.count; i++) {
        if (one.present[i] === 0 || most[i] < least[i]) continue;
        clamped.values[i] = goMax(least[i], goMin(most[i], one.values[i]));
        clamped.present[i] = 1;
      }
      return withoutName(evaluation, clamped);
    });
    return { kind: 'vector', series: series.filter(({ present }) => present.includes(1)) };
  },
};

/** The smaller or larger of two scalars. */
function ofTwo(choose: (a: number, b: number) => number): WholeFunction {
  return {
    kind: 'whole',
    evaluate: async (evaluation, call, grid) => {
      const left = await evaluateScalar(evaluation, call.args[0], grid);
      const right = await evaluateScalar(evaluation, call.args[1], grid);
      return { kind: 'scalar', values: left.map((value, i) => choose(value, right[i])) };
    },
  };
}

export const vectorFunctions: FunctionFamily = {
  scalar,
  vector,
  absent,
  absent_over_time: absentOverTime,
  clamp,
  min_of: ofTwo(goMin),
  max_of: ofTwo(goMax),
};
