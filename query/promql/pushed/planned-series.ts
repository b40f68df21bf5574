/**
 * The series of a read that the plan does not leave to a kernel alone. What the store cannot answer exactly is read as
 * samples after all: the steps that no cell covers, and series whose samples are odd.
 */
import type { LabelMatcher, Labels } from '#model/labels.ts';
import type { Evaluation } from '../evaluation.ts';
import type { CellUse, PlannedRead, ReadNode, ReadShape } from '../plan/query-plan.ts';
import { emptySeries, labelsKey, type StepGrid, type StepSeries } from '../step-series.ts';
import { type Call, unwrapParentheses } from '../tree.ts';
import { type CellFunction, type CellWindow, cellFunctionTable } from './cell-kernels.ts';
import { gridRequest } from './grid-request.ts';
import { type CellSeries, cellMs, type PushedReads } from './pushed-source.ts';

/** Reads a node as samples; labels keep the metric's name. */
export type ReadByKernel = (node: ReadNode, grid: StepGrid) => AsyncIterable<StepSeries>;

/** Series that are read one by one because the store's answer is in doubt; more are read all at once. */
const doubtfulMax = 32;

/** Yields what `kernel` would yield for the node and its grid, in the same order. */
export async function* streamPlannedSeries(
  evaluation: Evaluation,
  read: PlannedRead,
  kernel: ReadByKernel,
): AsyncGenerator<StepSeries> {
  const { pushed } = evaluation.source;
  if (pushed === undefined) throw new Error('BUG: the plan pushes to a source that takes nothing');
  if (read.cells !== undefined) yield* streamFromCells(evaluation, pushed, read, read.cells, kernel);
  else yield* streamFromGrid(evaluation, pushed, read, kernel);
}

async function* streamFromGrid(
  evaluation: Evaluation,
  pushed: PushedReads,
  read: PlannedRead,
  kernel: ReadByKernel,
): AsyncGenerator<StepSeries> {
  const { budget, abort } = evaluation;
  const { node, grid } = read;
  const doubtful = new DoubtfulSeries(node, grid, kernel);
  for await (const { labels, values, present, sampleCount, isSuspect } of pushed.grid(
    gridRequest(read.shape),
    abort,
  )) {
    budget.addSeries(sampleCount);
    budget.addSamples(grid.count);
    await budget.breathe();
    if (isSuspect) {
      const series = await doubtful.read(labels);
      if (series !== undefined) yield series;
    } else if (present.includes(1)) yield { labels, dropsName: false, values, present };
  }
}

async function* streamFromCells(
  evaluation: Evaluation,
  pushed: PushedReads,
  read: PlannedRead,
  use: CellUse,
  kernel: ReadByKernel,
): AsyncGenerator<StepSeries> {
  const { budget, abort } = evaluation;
  const { node, grid } = read;
  const { request } = read.shape;
  const plan = cellPlan(read.shape, use);
  if (!use.isExact) {
    const fact = `answered from samples of ${use.resolutionMs / 60_000} minutes, as max_source_resolution asks: the result is approximate`;
    evaluation.annotations.inform(fact, node);
  }
  const covered = partOf(grid, use.stepFirst, use.stepEnd);
  const edges = [partOf(grid, 0, use.stepFirst), partOf(grid, use.stepEnd, grid.count)];
  const parts: ReadPart[] = [];
  for (const edge of edges) {
    if (edge.grid.count > 0) parts.push({ ...edge, series: await byLabels(kernel(node, edge.grid)) });
  }
  const doubtful = new DoubtfulSeries(node, covered.grid, kernel);
  for await (const cells of pushed.cells({ ...plan.request, request }, abort)) {
    const key = labelsKey(cells.labels);
    const isKnown = cells.cellCount > 0 || parts.some(({ series }) => series.has(key));
    if (!isKnown) continue;
    budget.addSeries(cells.cellCount);
    budget.addSamples(grid.count);
    const result = emptySeries(cells.labels, grid.count);
    const isSure = fillFromCells(cells, plan, use, result);
    if (!isSure && use.isExact) {
      result.present.fill(0, use.stepFirst, use.stepEnd);
      const exact = await doubtful.read(cells.labels);
      if (exact !== undefined) place(result, exact, use.stepFirst);
    }
    for (const part of parts) {
      const series = part.series.get(key);
      if (series !== undefined) place(result, series, part.stepFirst);
      part.series.delete(key);
    }
    if (budget.addWindow(covered.grid.count * (plan.widthMs / cellMs))) await budget.breathe();
    if (result.present.includes(1)) yield result;
  }
  // Series that appeared after the list of series was made.
  for (const part of parts) {
    for (const series of part.series.values()) {
      const result = emptySeries(series.labels, grid.count);
      place(result, series, part.stepFirst);
      yield result;
    }
  }
}

interface ReadPart {
  readonly stepFirst: number;
  readonly series: Map<string, StepSeries>;
}

function partOf(grid: StepGrid, stepFirst: number, stepEnd: number): { stepFirst: number; grid: StepGrid } {
  const startMs = grid.startMs + stepFirst * grid.stepMs;
  return { stepFirst, grid: { startMs, stepMs: grid.stepMs, count: stepEnd - stepFirst } };
}

async function byLabels(stream: AsyncIterable<StepSeries>): Promise<Map<string, StepSeries>> {
  const found = new Map<string, StepSeries>();
  for await (const series of stream) found.set(labelsKey(series.labels), series);
  return found;
}

/** Copies the values of a part of the steps to where they belong. */
function place(result: StepSeries, part: StepSeries, stepFirst: number): void {
  result.values.set(part.values, stepFirst);
  result.present.set(part.present, stepFirst);
  if (part.histograms !== undefined) throw new Error('BUG: histograms where the survey saw none');
}

interface CellPlan {
  readonly compute: CellFunction;
  /** What the result is multiplied by where windows were widened. */
  readonly share: number;
  readonly widthMs: number;
  readonly endOf: (step: number) => number;
  readonly request: Omit<Parameters<PushedReads['cells']>[0], 'request'>;
}

function cellPlan({ name, rangeMs, ends }: ReadShape, use: CellUse): CellPlan {
  const { resolutionMs, stepFirst, stepEnd } = use;
  const compute = cellFunctionTable[name];
  const widthMs = Math.ceil(rangeMs / resolutionMs) * resolutionMs;
  const endOf = (step: number) =>
    Math.floor((ends.firstMs + step * ends.stepMs) / resolutionMs) * resolutionMs;
  const hasGaps = ends.stepMs > widthMs && ends.stepMs % resolutionMs === 0;
  return {
    compute,
    share: compute.isProportional === true && widthMs !== rangeMs ? rangeMs / widthMs : 1,
    widthMs,
    endOf,
    request: {
      columns: compute.columns,
      firstEdgeMs: endOf(stepFirst) - widthMs + cellMs,
      lastEdgeMs: endOf(stepEnd - 1),
      everyMs: hasGaps ? ends.stepMs : cellMs,
      lengthMs: hasGaps ? widthMs : cellMs,
    },
  };
}

/** Returns false where some window's result is in doubt. */
function fillFromCells(cells: CellSeries, plan: CellPlan, use: CellUse, result: StepSeries): boolean {
  if (cells.cellCount === 0) return true;
  const { compute, share, widthMs, endOf } = plan;
  const { firstEdgeMs } = plan.request;
  const window: CellWindow = {
    cells,
    from: 0,
    to: 0,
    startMs: 0,
    endMs: 0,
    rangeMs: widthMs,
    result: 0,
    isSuspect: false,
  };
  for (let step = use.stepFirst; step < use.stepEnd; step++) {
    window.endMs = endOf(step);
    window.startMs = window.endMs - widthMs;
    window.from = (window.startMs + cellMs - firstEdgeMs) / cellMs;
    window.to = (window.endMs - firstEdgeMs) / cellMs + 1;
    if (!hasSample(window) || !compute.kernel(window)) continue;
    result.values[step] = share === 1 ? window.result : window.result * share;
    result.present[step] = 1;
    if (window.isSuspect && use.isExact) return false;
  }
  return true;
}

function hasSample({ cells, from, to }: CellWindow): boolean {
  for (let i = from; i < to; i++) if (cells.counts[i] > 0) return true;
  return false;
}

/** Reads series as samples that the store answers in another way than PromQL. */
class DoubtfulSeries {
  readonly #node: ReadNode;
  readonly #grid: StepGrid;
  readonly #kernel: ReadByKernel;
  #count = 0;
  #all: Map<string, StepSeries> | undefined;

  constructor(node: ReadNode, grid: StepGrid, kernel: ReadByKernel) {
    this.#node = node;
    this.#grid = grid;
    this.#kernel = kernel;
  }

  async read(labels: Labels): Promise<StepSeries | undefined> {
    const key = labelsKey(labels);
    if (++this.#count > doubtfulMax) {
      this.#all ??= await byLabels(this.#kernel(this.#node, this.#grid));
      return this.#all.get(key);
    }
    const only = withMatchers(
      this.#node,
      labels.map(([name, value]) => ({ name, op: '=', value })),
    );
    // Series with more labels match too.
    return (await byLabels(this.#kernel(only, this.#grid))).get(key);
  }
}

/** The same read of other series. */
function withMatchers(node: ReadNode, matchers: readonly LabelMatcher[]): ReadNode {
  if (node.kind === 'vector') return { ...node, matchers };
  const args = node.args.map((arg) => {
    const inner = unwrapParentheses(arg);
    return inner.kind === 'matrix' ? { ...inner, selector: { ...inner.selector, matchers } } : arg;
  });
  return { ...node, args } satisfies Call;
}
