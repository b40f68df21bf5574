/** sort and its kin. Only an instant query has an order: in a range query they change nothing. */
import { labelValue } from '#model/labels.ts';
import { type Evaluation, evaluateVector, stringOf } from '../evaluation.ts';
import { compareLabels, numbersOnly, type StepGrid } from '../step-series.ts';
import type { Call } from '../tree.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';
import { compareNaturally } from './natural-order.ts';

/** Says so where sorting is of no use. */
function hasNoOrder(evaluation: Evaluation, call: Call, grid: StepGrid): boolean {
  if (grid.count === 1) return false;
  evaluation.annotations.warn(
    'sort is ineffective for range queries since results are always ordered by labels',
    call,
  );
  return true;
}

/** Orders by value at the only step; NaN comes last either way, and histograms go. */
function byValue(sign: 1 | -1): WholeFunction {
  return {
    kind: 'whole',
    evaluate: async (evaluation, call, grid) => {
      const series = (await evaluateVector(evaluation, call.args[0], grid)).map(numbersOnly);
      if (hasNoOrder(evaluation, call, grid)) return { kind: 'vector', series };
      const sorted = series.sort((a, b) => {
        const [left, right] = [a.values[0], b.values[0]];
        if (Number.isNaN(left) || Number.isNaN(right))
          return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
        return left === right ? 0 : left < right ? -sign : sign;
      });
      return { kind: 'vector', series: sorted };
    },
  };
}

/** Orders by the values of labels, numbers in them by their size; what is equal in all of them by all labels. */
function byLabels(sign: 1 | -1): WholeFunction {
  return {
    kind: 'whole',
    evaluate: async (evaluation, call, grid) => {
      const series = await evaluateVector(evaluation, call.args[0], grid);
      if (hasNoOrder(evaluation, call, grid)) return { kind: 'vector', series };
      const names = call.args.slice(1).map(stringOf);
      const sorted = [...series].sort((a, b) => {
        for (const name of names) {
          const order = compareNaturally(labelValue(a.labels, name), labelValue(b.labels, name));
          if (order !== 0) return sign * order;
        }
        return sign * compareLabels(a.labels, b.labels);
      });
      return { kind: 'vector', series: sorted };
    },
  };
}

export const sortFunctions: FunctionFamily = {
  sort: byValue(1),
  sort_desc: byValue(-1),
  sort_by_label: byLabels(1),
  sort_by_label_desc: byLabels(-1),
};
