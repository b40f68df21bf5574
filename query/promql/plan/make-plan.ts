/**
 * From a tree and what is known of the source to a plan. Asks the source only about reads that might take another path
 * than samples; the choice itself is choose-path.ts.
 */

import { fixedTimeMs } from '../evaluation.ts';
import { windowEnds } from '../sample-window.ts';
import type { SampleSource } from '../source.ts';
import type { StepGrid } from '../step-series.ts';
import { type Aggregation, type Expression, unwrapParentheses, type VectorSelector } from '../tree.ts';
import { expressionType } from '../type-check.ts';
import { chooseGroups } from './choose-groups.ts';
import { type ChosenPath, choosePath, firstLook, lookAtSeries, type PathWishes } from './choose-path.ts';
import { expressionKey, requestKey } from './expression-key.ts';
import { type PlacedNode, type PlanTimes, rangeSelectorOf, walkPlaced } from './placed-nodes.ts';
import type { PlannedRead, QueryPlan, ReadNode, ReadShape, SharedExpression } from './query-plan.ts';

/** Rejects as the source does, and where a subquery has too many steps. */
export async function makePlan(
  expression: Expression,
  grid: StepGrid,
  times: PlanTimes,
  wishes: PathWishes,
  source: SampleSource,
  abort: AbortSignal,
): Promise<QueryPlan> {
  const shared = new Map<Expression, SharedExpression>();
  const seen = new Map<string, Expression>();
  const readers: PlacedNode[] = [];
  const aggregations: [Aggregation, StepGrid][] = [];
  walkPlaced(times, expression, grid, (placed) => {
    const { node, grid: here } = placed;
    if (isShareable(node) && !placed.isReadByParent) {
      const key = expressionKey(node, here);
      const first = seen.get(key);
      if (first !== undefined) {
        shared.set(first, { key, grid: here });
        shared.set(node, { key, grid: here });
        return false;
      }
      seen.set(key, node);
    }
    if (placed.request !== undefined) readers.push(placed);
    if (node.kind === 'aggregation') aggregations.push([node, here]);
    return true;
  });
  const reads = new Map<Expression, PlannedRead>();
  for (const placed of readers) reads.set(placed.node, await planRead(placed, times, wishes, source, abort));
  for (const [aggregation, here] of aggregations) {
    const inner = unwrapParentheses(aggregation.expression);
    const read = reads.get(inner);
    if (read === undefined || shared.has(inner) || read.grid.count !== here.count) continue;
    const group = chooseGroups(aggregation, read, wishes);
    if (group !== undefined) reads.set(aggregation, { ...read, ...group });
  }
  return { expression, grid, reads, shared, sharedRequests: countRequests(reads.values()) };
}

function isShareable(node: Expression): boolean {
  const reads = node.kind === 'vector' || node.kind === 'call' || node.kind === 'aggregation';
  return (reads || node.kind === 'binary' || node.kind === 'unary') && expressionType(node) === 'vector';
}

function countRequests(reads: Iterable<PlannedRead>): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { shape, path } of reads) {
    const key = requestKey(shape.request);
    if (path === 'kernel') counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return new Map([...counts].filter(([, count]) => count > 1));
}

async function planRead(
  placed: PlacedNode,
  times: PlanTimes,
  wishes: PathWishes,
  source: SampleSource,
  abort: AbortSignal,
): Promise<PlannedRead> {
  const { grid, isReadByParent } = placed;
  const node = placed.node as ReadNode;
  const shape = shapeOf(node, placed, times);
  const planned = (chosen: ChosenPath, seriesCount?: number): PlannedRead => ({
    node,
    grid,
    shape,
    path: chosen.path,
    reason: chosen.reason,
    seriesCount,
    cells: chosen.cells,
  });
  if (isReadByParent)
    return planned({ path: 'kernel', reason: 'the function looks at the samples themselves' });
  const { pushed } = source;
  const capabilities = await pushed?.capabilities();
  const look = firstLook(shape, wishes, capabilities);
  if (typeof look === 'string') return planned({ path: 'kernel', reason: look });
  const seriesCount = await pushed!.countSeries(shape.request, abort);
  const closer = lookAtSeries(shape, wishes, look, seriesCount);
  if (typeof closer === 'string') return planned({ path: 'kernel', reason: closer }, seriesCount);
  const survey = await pushed!.survey(shape.request, closer.wantsCells, abort);
  return planned(choosePath(shape, wishes, closer, survey), seriesCount);
}

function shapeOf(node: ReadNode, { grid, request }: PlacedNode, times: PlanTimes): ReadShape {
  if (request === undefined) throw new Error('BUG: a plan for a node that reads nothing');
  const range = node.kind === 'call' ? rangeSelectorOf(node) : undefined;
  const selector = range?.selector ?? (node as VectorSelector);
  return {
    request,
    name: node.kind === 'call' ? node.name : 'selector',
    rangeMs: range?.rangeMs ?? times.lookbackMs,
    ends: windowEnds(grid, selector.offsetMs, fixedTimeMs(times, selector.at)),
    count: grid.count,
  };
}
