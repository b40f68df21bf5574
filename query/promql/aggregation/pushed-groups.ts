/** Aggregations that the store computes with the values that they are made of: one row per group travels. */
import { type Labels, metricNameLabel } from '#model/labels.ts';
import type { Evaluation } from '../evaluation.ts';
import { functionImplementation } from '../functions/registry.ts';
import { plannedRead } from '../plan/query-plan.ts';
import { gridRequest } from '../pushed/grid-request.ts';
import type { GridGroup } from '../pushed/pushed-source.ts';
import { noteNonCounter } from '../range-notes.ts';
import type { StepGrid, StepSeries } from '../step-series.ts';
import { type Aggregation, unwrapParentheses } from '../tree.ts';

/** Undefined where the plan does not push it, or some group's answer is in doubt: it is then evaluated as ever. */
export async function pushedGroups(
  evaluation: Evaluation,
  aggregation: Aggregation,
  grid: StepGrid,
): Promise<StepSeries[] | undefined> {
  const { pushed } = evaluation.source;
  const read = plannedRead(evaluation.plan, aggregation, grid);
  if (read?.aggregation === undefined || pushed === undefined) return undefined;
  const { shape, aggregation: request } = read;
  const groups: GridGroup[] = [];
  for await (const group of pushed.groups({ grid: gridRequest(shape), ...request }, evaluation.abort)) {
    if (group.isSuspect) return undefined;
    groups.push(group);
  }
  count(evaluation, groups, grid);
  const found = groups.filter(({ present }) => present.includes(1));
  return found.map(({ labels, values, present }) => {
    const series = { labels, dropsName: false, values, present };
    note(evaluation, aggregation, series);
    return series;
  });
}

/** As much as reading the series one by one. */
function count({ budget }: Evaluation, groups: readonly GridGroup[], grid: StepGrid): void {
  for (const { seriesCount, sampleCount } of groups) {
    for (let i = 0; i < seriesCount; i++) budget.addSeries(0);
    budget.addSamples(sampleCount + (seriesCount + 1) * grid.count);
  }
}

/** What the function would have said of its series. */
function note(evaluation: Evaluation, aggregation: Aggregation, series: StepSeries): void {
  const call = unwrapParentheses(aggregation.expression);
  if (call.kind !== 'call') return;
  const implementation = functionImplementation(call.name);
  const range = call.args.map(unwrapParentheses).find(({ kind }) => kind === 'matrix');
  if (implementation?.kind !== 'range' || !implementation.isForCounters || range?.kind !== 'matrix') return;
  const metric = range.selector.matchers.find(({ name }) => name === metricNameLabel)?.value ?? '';
  const labels: Labels = [[metricNameLabel, metric]];
  noteNonCounter(evaluation, { ...series, labels }, range);
}
