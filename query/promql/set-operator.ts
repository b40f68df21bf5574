/** and, or, unless: whole series meet by their labels, step by step. */
import type { Evaluation } from './evaluation.ts';
import { matchingKey, mergeSameLabels, type StepGrid, type StepSeries } from './step-series.ts';
import type { Binary } from './tree.ts';

export function evaluateSetOperator(
  evaluation: Evaluation,
  { operator, matching }: Binary,
  left: readonly StepSeries[],
  right: readonly StepSeries[],
  grid: StepGrid,
): readonly StepSeries[] {
  const names = new Set(matching.labels);
  const keyOf = (series: StepSeries) => matchingKey(series.labels, names, matching.isOn);
  evaluation.budget.addSamples(grid.count * (left.length + right.length));
  if (operator === 'or') {
    const taken = presenceByKey(left, keyOf, grid.count);
    const added = right.map((series) => restrict(series, taken.get(keyOf(series)), 0));
    return mergeSameLabels([...left, ...added.filter((series) => series !== undefined)]);
  }
  const others = presenceByKey(right, keyOf, grid.count);
  const wanted = operator === 'and' ? 1 : 0;
  const kept = left.map((series) => restrict(series, others.get(keyOf(series)), wanted));
  return kept.filter((series) => series !== undefined);
}

/** Per key, the steps at which any series of it has a value. */
function presenceByKey(
  series: readonly StepSeries[],
  keyOf: (series: StepSeries) => string,
  stepCount: number,
): Map<string, Uint8Array> {
  const byKey = new Map<string, Uint8Array>();
  for (const one of series) {
    const key = keyOf(one);
    let union = byKey.get(key);
    if (union === undefined) {
      union = new Uint8Array(stepCount);
      byKey.set(key, union);
    }
    for (let i = 0; i < stepCount; i++) union[i] |= one.present[i];
  }
  return byKey;
}

/** The series at the steps where `others` is `wanted`; undefined where nothing is left. */
function restrict(series: StepSeries, others: Uint8Array | undefined, wanted: 0 | 1): StepSeries | undefined {
  if (others === undefined) return wanted === 0 ? series : undefined;
  const present = series.present.map((flag, i) => (flag === 1 && others[i] === wanted ? 1 : 0));
  return present.includes(1) ? { ...series, present } : undefined;
}
