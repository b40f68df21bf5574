/** topk and bottomk: the k largest or smallest series of each group at each step. */
import { type Evaluation, evaluateVector } from '../evaluation.ts';
import { executionError } from '../execution-error.ts';
import { renderG } from '../go-float.ts';
import { labelsKey, type StepGrid, type StepSeries } from '../step-series.ts';
import type { Aggregation } from '../tree.ts';
import { groupLabels } from './grouping.ts';
import { withoutHistograms } from './without-histograms.ts';

/** In an instant query the result is ordered by value, group by group. */
export async function selectExtremes(
  evaluation: Evaluation,
  aggregation: Aggregation,
  parameter: Float64Array | undefined,
  grid: StepGrid,
): Promise<StepSeries[]> {
  const counts = checkCounts(parameter);
  const vector = await evaluateVector(evaluation, aggregation.expression, grid);
  const takesAny = (step: number) => counts[step] >= 1;
  const input = vector.map((one) => withoutHistograms(evaluation, aggregation, aggregation, one, takesAny));
  if (!counts.some((count) => count >= 1)) return [];
  const names = new Set(aggregation.grouping);
  const groups = Map.groupBy(input, ({ labels }) =>
    labelsKey(groupLabels(labels, names, aggregation.isWithout)),
  );
  const isTop = aggregation.operator === 'topk';
  const selected: StepSeries[] = [];
  for (const group of groups.values()) {
    evaluation.budget.addSamples(group.length * grid.count);
    selected.push(...selectGroup(group, counts, isTop));
  }
  return selected;
}

/** Returns the counts. Throws where one is no integer of 64 bits, but for steps that take nothing anyway. */
export function checkCounts(parameter: Float64Array | undefined): Float64Array {
  if (parameter === undefined) throw new Error('BUG: topk without a parameter');
  if (parameter.every((count) => count < 1)) return parameter;
  for (const count of parameter) {
    if (Number.isNaN(count)) throw executionError('Parameter value is NaN');
    if (count <= -(2 ** 63)) throw executionError(`Scalar value ${renderG(count)} underflows int64`);
    if (count >= 2 ** 63) throw executionError(`Scalar value ${renderG(count)} overflows int64`);
  }
  return parameter;
}

function selectGroup(group: readonly StepSeries[], counts: Float64Array, isTop: boolean): StepSeries[] {
  const masks = group.map(({ present }) => new Uint8Array(present.length));
  let order: number[] = [];
  for (const [step, count] of counts.entries()) {
    order = rank(group, step, isTop).slice(0, Math.max(0, Math.trunc(count)));
    for (const index of order) masks[index][step] = 1;
  }
  const indexes = counts.length === 1 ? order : [...group.keys()];
  return indexes
    .map((index) => ({ ...group[index], present: masks[index] }))
    .filter(({ present }) => present.includes(1));
}

/** Indexes of the series with a value, best first, NaN last. */
function rank(group: readonly StepSeries[], step: number, isTop: boolean): number[] {
  const indexes = [...group.keys()].filter((index) => group[index].present[step] === 1);
  return indexes.sort((a, b) => {
    const [left, right] = [group[a].values[step], group[b].values[step]];
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
    if (left === right) return 0;
    return left > right === isTop ? -1 : 1;
  });
}
