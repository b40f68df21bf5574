/** Aggregations: series stream in, a group's columns stay. */
import type { Labels } from '#model/labels.ts';
import { type Evaluation, evaluateScalar } from '../evaluation.ts';
import { warnOutermostQuantiles } from '../quantile-warning.ts';
import { scanSeries } from '../scan-series.ts';
import { labelsKey, type StepGrid, type StepSeries, type VectorValue } from '../step-series.ts';
import type { Aggregation } from '../tree.ts';
import { type Accumulator, accumulators, type HistogramNotes } from './accumulators.ts';
import { countValues } from './count-values.ts';
import { groupLabels } from './grouping.ts';
import { pushedGroups } from './pushed-groups.ts';
import { selectExtremes } from './select-extremes.ts';
import { selectRatio, selectSome } from './select-some.ts';
import { withoutHistograms } from './without-histograms.ts';

interface Group {
  readonly labels: Labels;
  readonly accumulator: Accumulator;
  dropsName: boolean;
}

export async function evaluateAggregation(
  evaluation: Evaluation,
  aggregation: Aggregation,
  grid: StepGrid,
): Promise<VectorValue> {
  const { operator } = aggregation;
  if (operator === 'count_values') {
    return { kind: 'vector', series: await countValues(evaluation, aggregation, grid) };
  }
  const parameter =
    aggregation.parameter === undefined
      ? undefined
      : await evaluateScalar(evaluation, aggregation.parameter, grid);
  if (operator === 'topk' || operator === 'bottomk') {
    return { kind: 'vector', series: await selectExtremes(evaluation, aggregation, parameter, grid) };
  }
  if (operator === 'limitk') {
    return { kind: 'vector', series: await selectSome(evaluation, aggregation, parameter, grid) };
  }
  if (operator === 'limit_ratio') {
    return { kind: 'vector', series: await selectRatio(evaluation, aggregation, parameter, grid) };
  }
  if (operator === 'quantile' && parameter !== undefined && aggregation.parameter !== undefined) {
    warnOutermostQuantiles(evaluation, aggregation.parameter, parameter);
  }
  return { kind: 'vector', series: await accumulate(evaluation, aggregation, parameter, grid) };
}

async function accumulate(
  evaluation: Evaluation,
  aggregation: Aggregation,
  parameter: Float64Array | undefined,
  grid: StepGrid,
): Promise<StepSeries[]> {
  const pushed = await pushedGroups(evaluation, aggregation, grid);
  if (pushed !== undefined) return pushed;
  const { operator, expression, grouping, isWithout } = aggregation;
  const takesHistograms = histogramOperators.has(operator);
  const notes: HistogramNotes = {
    warn: (fact) => evaluation.annotations.warn(fact, expression),
    inform: (fact) => evaluation.annotations.inform(fact, expression),
  };
  const create = accumulators[operator];
  if (create === undefined) throw new Error(`BUG: no accumulator for ${operator}`);
  const names = new Set(grouping);
  const groups = new Map<string, Group>();
  const take = (series: StepSeries): void => {
    const labels = groupLabels(series.labels, names, isWithout);
    const key = labelsKey(labels);
    let group = groups.get(key);
    if (group === undefined) {
      evaluation.budget.addSamples(grid.count);
      group = { labels, accumulator: create(grid.count, parameter, notes), dropsName: false };
      groups.set(key, group);
    }
    group.dropsName ||= series.dropsName;
    group.accumulator.add(
      takesHistograms ? series : withoutHistograms(evaluation, aggregation, expression, series),
    );
  };
  // A quantile needs all values: its accumulator keeps what it is given.
  const isScanned = operator !== 'quantile' && (await scanSeries(evaluation, expression, grid, take));
  if (!isScanned) for await (const series of evaluation.stream(expression, grid)) take(series);
  return [...groups.values()].map(({ labels, accumulator, dropsName }) => {
    const { values, histograms } = accumulator.finish();
    return { labels, dropsName, present: accumulator.present, values, histograms };
  });
}

const histogramOperators = new Set(['sum', 'avg', 'count', 'group']);
