/** Goes through an expression as the evaluator does, and says at which steps each part is evaluated. */
import type { Evaluation } from '../evaluation.ts';
import { fixedTimeMs } from '../evaluation.ts';
import { functionImplementation } from '../functions/registry.ts';
import { windowEnds } from '../sample-window.ts';
import type { SampleRequest } from '../source.ts';
import { isStepInvariant } from '../step-invariance.ts';
import type { StepGrid } from '../step-series.ts';
import { subqueryGrid } from '../subquery-grid.ts';
import { type Call, type Expression, type MatrixSelector, partsOf, unwrapParentheses } from '../tree.ts';

export type PlanTimes = Pick<
  Evaluation,
  'queryStartMs' | 'queryEndMs' | 'subqueryStepMs' | 'lookbackMs' | 'delaysNameRemoval'
>;

export interface PlacedNode {
  readonly node: Expression;
  readonly grid: StepGrid;
  /** What it reads itself: of a selector, or of a function of a range selector. */
  readonly request: SampleRequest | undefined;
  /** The node around it reads it in a way of its own (`timestamp(x)`), and not as a value. */
  readonly isReadByParent: boolean;
}

/** Calls `visit` for each part, outermost first; false leaves out what is inside of it. */
export function walkPlaced(
  times: PlanTimes,
  expression: Expression,
  grid: StepGrid,
  visit: (placed: PlacedNode) => boolean,
  isReadByParent = false,
): void {
  const here = grid.count > 1 && isStepInvariant(expression) ? { ...grid, count: 1 } : grid;
  const request = requestOf(times, expression, here);
  if (!visit({ node: expression, grid: here, request, isReadByParent })) return;
  if (expression.kind === 'matrix') return;
  if (expression.kind === 'subquery') {
    const inner = subqueryGrid(times, expression, here);
    if (inner !== undefined) walkPlaced(times, expression.expression, inner, visit);
    return;
  }
  const readsItself =
    expression.kind === 'parentheses'
      ? isReadByParent
      : expression.kind === 'call' && readsSelectors.has(expression.name);
  for (const part of partsOf(expression)) walkPlaced(times, part, here, visit, readsItself);
}

/** They read their selector's samples themselves. */
const readsSelectors = new Set(['timestamp', 'start_timestamp', 'info']);

function requestOf(times: PlanTimes, node: Expression, grid: StepGrid): SampleRequest | undefined {
  if (node.kind === 'vector') {
    if (node.modifier !== undefined) return undefined;
    const ends = windowEnds(grid, node.offsetMs, fixedTimeMs(times, node.at));
    return { matchers: node.matchers, startMs: ends.firstMs - times.lookbackMs, endMs: ends.lastMs };
  }
  const range = node.kind === 'call' ? rangeSelectorOf(node) : undefined;
  if (range === undefined || range.selector.modifier !== undefined) return undefined;
  const { selector, rangeMs } = range;
  const ends = windowEnds(grid, selector.offsetMs, fixedTimeMs(times, selector.at));
  return { matchers: selector.matchers, startMs: ends.firstMs - rangeMs, endMs: ends.lastMs };
}

/** The range selector that a function of the range kind reads; undefined where it is a subquery. */
export function rangeSelectorOf(call: Call): MatrixSelector | undefined {
  const isRange = functionImplementation(call.name)?.kind === 'range' || call.name === 'absent_over_time';
  if (!isRange) return undefined;
  for (const arg of call.args) {
    const inner = unwrapParentheses(arg);
    if (inner.kind === 'matrix') return inner;
  }
  return undefined;
}
