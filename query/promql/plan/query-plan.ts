/**
 * How a query will be executed: for each read of samples the path it takes and why, and which expressions are evaluated
 * once for all their places. Immutable; the evaluator asks it, and explain.ts prints it.
 */
import type { GroupRequest } from '../pushed/pushed-source.ts';
import type { WindowEnds } from '../sample-window.ts';
import type { SampleRequest } from '../source.ts';
import type { StepGrid } from '../step-series.ts';
import type { Call, Expression, VectorSelector } from '../tree.ts';
import { requestKey } from './expression-key.ts';

/** `kernel` reads samples, `grid` has the engine compute, `cells` reads five-minute cells and the rest as samples. */
export type ReadPath = 'kernel' | 'grid' | 'cells';

/** A selector, or a function of a range selector: what reads samples as one. */
export type ReadNode = VectorSelector | Call;

/** What is read, whichever way. */
export interface ReadShape {
  /** What select() would be asked for. */
  readonly request: SampleRequest;
  /** The function's name, or `selector`. */
  readonly name: string;
  /** Length of each window: the range, or the lookback. */
  readonly rangeMs: number;
  /** Where the windows end, with offset and `@`. */
  readonly ends: WindowEnds;
  /** How many. */
  readonly count: number;
}

export interface PlannedRead {
  readonly node: ReadNode;
  /** The steps it is evaluated at. */
  readonly grid: StepGrid;
  readonly shape: ReadShape;
  readonly path: ReadPath;
  /** Why this path, or why no other. */
  readonly reason: string;
  /** Undefined where the plan did not need to know. */
  readonly seriesCount: number | undefined;
  /** Of path `cells`. */
  readonly cells: CellUse | undefined;
  /** Of path `grid`, at an aggregation: the store puts the series together, too. */
  readonly aggregation?: Pick<GroupRequest, 'operator' | 'by'> | undefined;
}

export interface CellUse {
  /** How many of the grid's steps come from cells: the first of those that may; the others are read as samples. */
  readonly stepFirst: number;
  readonly stepEnd: number;
  /** Windows are widened to multiples of it; cellMs where the answer is exact. */
  readonly resolutionMs: number;
  readonly isExact: boolean;
}

export interface SharedExpression {
  /** expressionKey: the same for all its places. */
  readonly key: string;
  readonly grid: StepGrid;
}

export interface QueryPlan {
  readonly expression: Expression;
  readonly grid: StepGrid;
  readonly reads: ReadonlyMap<Expression, PlannedRead>;
  /** Expressions that stand in several places with the same steps. */
  readonly shared: ReadonlyMap<Expression, SharedExpression>;
  /** Requests that several selectors make, by requestKey, with their number. */
  readonly sharedRequests: ReadonlyMap<string, number>;
}

/** The path of a node on a grid: one that was not planned for reads samples. */
export function plannedRead(plan: QueryPlan, node: Expression, grid: StepGrid): PlannedRead | undefined {
  const read = plan.reads.get(node);
  return read !== undefined && isSameGrid(read.grid, grid) ? read : undefined;
}

/** The key of a node that stands in several places; undefined for any other, or on another grid. */
export function sharedKey(plan: QueryPlan, node: Expression, grid: StepGrid): string | undefined {
  const shared = plan.shared.get(node);
  return shared !== undefined && isSameGrid(shared.grid, grid) ? shared.key : undefined;
}

/** Whether several selectors of the query ask for these samples. */
export function isSharedRequest(plan: QueryPlan, request: SampleRequest): boolean {
  return plan.sharedRequests.has(requestKey(request));
}

/** All reads are reads of samples: for what a plan leaves to the kernels. */
export function kernelsOnly(plan: QueryPlan): QueryPlan {
  return { ...plan, reads: new Map(), shared: new Map() };
}

function isSameGrid(a: StepGrid, b: StepGrid): boolean {
  return a.startMs === b.startMs && a.count === b.count && (a.stepMs === b.stepMs || a.count === 1);
}
