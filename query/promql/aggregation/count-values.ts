/** count_values: one series per value that a group has, counting the series that have it. */
import { type Labels, sortLabels } from '#model/labels.ts';
import { type Evaluation, evaluateVector, stringOf } from '../evaluation.ts';
import { executionError } from '../execution-error.ts';
import { printHistogram } from '../histogram/histogram-text.ts';
import { isLabelName } from '../metric-name.ts';
import { printNumber } from '../printer.ts';
import { emptySeries, labelsKey, type StepGrid, type StepSeries, valueAt } from '../step-series.ts';
import type { Aggregation } from '../tree.ts';
import { groupLabels } from './grouping.ts';

export async function countValues(
  evaluation: Evaluation,
  { parameter, expression, grouping, isWithout }: Aggregation,
  grid: StepGrid,
): Promise<StepSeries[]> {
  if (parameter === undefined) throw new Error('BUG: count_values without a parameter');
  const label = stringOf(parameter);
  if (!isLabelName(label)) {
    const written = evaluation.text.slice(parameter.start, parameter.end);
    throw executionError(`invalid label name ${written}`);
  }
  const names = new Set(isWithout ? grouping : [...grouping, label]);
  const results = new Map<string, StepSeries>();
  for (const series of await evaluateVector(evaluation, expression, grid)) {
    const others = series.labels.filter(([name]) => name !== label);
    for (let step = 0; step < grid.count; step++) {
      if (series.present[step] === 0) continue;
      const labels = withValue(others, label, printValue(series, step), names, isWithout);
      const key = labelsKey(labels);
      let result = results.get(key);
      if (result === undefined) {
        evaluation.budget.addSamples(grid.count);
        result = emptySeries(labels, grid.count);
        results.set(key, result);
      }
      result.present[step] = 1;
      result.values[step]++;
    }
  }
  return [...results.values()];
}

function printValue(series: StepSeries, step: number): string {
  const value = valueAt(series, step);
  return typeof value === 'number' ? printNumber(value) : printHistogram(value);
}

function withValue(
  others: Labels,
  label: string,
  value: string,
  names: ReadonlySet<string>,
  isWithout: boolean,
): Labels {
  return groupLabels(sortLabels([...others, [label, value] as const]), names, isWithout);
}
