/** sort and its kin. Only an instant query has an order: in a range query they change nothing. */
import { evaluateVector } from '../evaluation.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';

/** Orders by value at the only step; NaN comes last either way. */
function byValue(sign: 1 | -1): WholeFunction {
  return {
    kind: 'whole',
    evaluate: async (evaluation, call, grid) => {
      const series = await evaluateVector(evaluation, call.args[0], grid);
      if (grid.count > 1) return { kind: 'vector', series };
      const sorted = [...series].sort((a, b) => {
        const [left, right] = [a.values[0], b.values[0]];
        if (Number.isNaN(left) || Number.isNaN(right))
          return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
        return left === right ? 0 : left < right ? -sign : sign;
      });
      return { kind: 'vector', series: sorted };
    },
  };
}

export const sortFunctions: FunctionFamily = { sort: byValue(1), sort_desc: byValue(-1) };
