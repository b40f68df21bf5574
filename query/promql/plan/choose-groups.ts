/** Whether the store that computes a grid also puts its series together. */
import { metricNameLabel } from '#model/labels.ts';
import type { GroupOperator } from '../pushed/pushed-source.ts';
import type { Aggregation } from '../tree.ts';
import type { PathWishes } from './choose-path.ts';
import type { PlannedRead } from './query-plan.ts';

const exactOperators: ReadonlySet<string> = new Set<GroupOperator>(['count', 'group', 'min', 'max']);
/** PromQL's sums compensate for rounding, the store's do not. */
const roundedOperators: ReadonlySet<string> = new Set<GroupOperator>(['sum', 'avg']);
/** They go with the metric's name, now or when the query is done. */
const schemaLabels: ReadonlySet<string> = new Set([metricNameLabel, '__type__', '__unit__']);
/** The engine keeps a state for each series. */
const seriesMax = 50_000;

/** What is another than in the read of the aggregation's series; undefined where they are put together here. */
export function chooseGroups(
  { operator, grouping, isWithout, parameter }: Aggregation,
  { path, shape, seriesCount = 0 }: PlannedRead,
  { pushDown }: PathWishes,
): Pick<PlannedRead, 'reason' | 'aggregation'> | undefined {
  const isExact = exactOperators.has(operator);
  const isRounded = pushDown === 'approximate' && roundedOperators.has(operator);
  if (path !== 'grid' || isWithout || parameter !== undefined || !(isExact || isRounded)) return undefined;
  if (seriesCount > seriesMax || grouping.some((name) => schemaLabels.has(name))) return undefined;
  return {
    reason: `the store computes ${shape.name} and its ${operator}`,
    aggregation: { operator: operator as GroupOperator, by: grouping },
  };
}
