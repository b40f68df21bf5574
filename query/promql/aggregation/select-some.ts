/** limitk and limit_ratio: some series of each group, whichever; the same ones each time. */
import { type Evaluation, evaluateVector } from '../evaluation.ts';
import { executionError } from '../execution-error.ts';
import { renderG } from '../go-float.ts';
import { compareLabels, labelsKey, type StepGrid, type StepSeries } from '../step-series.ts';
import type { Aggregation } from '../tree.ts';
import { groupLabels } from './grouping.ts';
import { labelsOffset } from './labels-offset.ts';
import { checkCounts } from './select-extremes.ts';

/** At each step the first k series of a group, in the order of their labels. */
export async function selectSome(
  evaluation: Evaluation,
  aggregation: Aggregation,
  parameter: Float64Array | undefined,
  grid: StepGrid,
): Promise<StepSeries[]> {
  const counts = checkCounts(parameter);
  const input = await evaluateVector(evaluation, aggregation.expression, grid);
  if (!counts.some((count) => count >= 1)) return [];
  const names = new Set(aggregation.grouping);
  const sorted = [...input].sort((a, b) => compareLabels(a.labels, b.labels));
  const groups = Map.groupBy(sorted, ({ labels }) =>
    labelsKey(groupLabels(labels, names, aggregation.isWithout)),
  );
  const selected: StepSeries[] = [];
  for (const group of groups.values()) {
    const left = counts.map((count) => Math.trunc(count));
    for (const series of group) {
      const present = series.present.map((flag, step) => (flag === 1 && left[step] > 0 ? 1 : 0));
      for (const [step, flag] of present.entries()) left[step] -= flag;
      if (present.includes(1)) selected.push({ ...series, present });
    }
  }
  return selected;
}

/**
 * A part of all series, chosen by a hash of their labels: with a ratio of -0.1 those that 0.9 leaves out. Ratios beyond 1
 * are taken as 1, with a warning.
 */
export async function selectRatio(
  evaluation: Evaluation,
  aggregation: Aggregation,
  parameter: Float64Array | undefined,
  grid: StepGrid,
): Promise<StepSeries[]> {
  if (parameter === undefined || aggregation.parameter === undefined) {
    throw new Error('BUG: limit_ratio without a parameter');
  }
  const ratioArgument = aggregation.parameter;
  const ratios = parameter.map((ratio) => {
    if (Number.isNaN(ratio)) throw executionError('Ratio value is NaN');
    const capped = Math.max(-1, Math.min(1, ratio));
    if (capped !== ratio) {
      const fact = `ratio value should be between -1 and 1, got ${renderG(ratio)}, capping to ${renderG(capped)}`;
      evaluation.annotations.warn(fact, ratioArgument);
    }
    return capped;
  });
  const selected: StepSeries[] = [];
  for (const series of await evaluateVector(evaluation, aggregation.expression, grid)) {
    const offset = labelsOffset(series.labels);
    const isChosen = (ratio: number) => (ratio >= 0 ? offset < ratio : offset >= 1 + ratio);
    const present = series.present.map((flag, step) => (flag === 1 && isChosen(ratios[step]) ? 1 : 0));
    if (present.includes(1)) selected.push({ ...series, present });
  }
  return selected;
}
