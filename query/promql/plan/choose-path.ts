/** Which path a read takes: exact first, then cheaper. Pure; figures are from bench/promql-paths.ts. */
import { metricNameLabel } from '#model/labels.ts';
import {
  cellMs,
  type PushCapabilities,
  type PushedFunction,
  type ReadSurvey,
} from '../pushed/pushed-source.ts';
import type { SampleRequest } from '../source.ts';
import type { CellUse, ReadPath, ReadShape } from './query-plan.ts';

/** Which pushed reads may be used: equal ones, also those that differ by rounding, or none. */
export type PushDown = 'exact' | 'approximate' | 'off';

/** Thanos's parameter: 'auto' uses cells where the answer is the same, 'raw' never, a length always. */
export type SourceResolution = 'auto' | 'raw' | '5m' | '1h';

export const resolutionMs: Readonly<Record<'5m' | '1h', number>> = { '5m': cellMs, '1h': 12 * cellMs };

export interface PathWishes {
  readonly pushDown: PushDown;
  readonly resolution: SourceResolution;
  readonly thresholds: PathThresholds;
}

/** From where on a path is cheaper than samples. */
export interface PathThresholds {
  /** Time from the first window's start to the last one's end, for cells. */
  readonly cellSpanMs: number;
  /** The same times the number of series, for cells. */
  readonly cellSeriesHours: number;
  /** Steps that are closer than this make a grid no smaller than samples. */
  readonly gridStepMs: number;
  /** Whether grids are pushed into the embedded engine too. */
  readonly gridsEmbedded: boolean;
}

export interface ChosenPath {
  readonly path: ReadPath;
  readonly reason: string;
  readonly cells?: CellUse;
}

/** What is equal bit for bit (test/query/promql/paths.test.ts), and what differs in the last digits. */
const exactOnGrid: ReadonlySet<string> = new Set<PushedFunction>([
  'selector',
  'last_over_time',
  'idelta',
  'changes',
  'resets',
]);
const roundedOnGrid: ReadonlySet<string> = new Set<PushedFunction>(['rate', 'increase', 'delta', 'irate']);

/** Functions that cells answer. */
export const cellFunctions: ReadonlySet<string> = new Set([
  'selector',
  'rate',
  'increase',
  'delta',
  'resets',
  'sum_over_time',
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'count_over_time',
  'present_over_time',
  'first_over_time',
  'last_over_time',
  'ts_of_first_over_time',
  'ts_of_last_over_time',
]);

const hourMs = 3_600_000;
/**
 * A plan with cells sends twice as many statements: where a sample comes every 15 s, that is made up for from 6,000 hours of
 * series on. In the embedded engine a grid costs what samples and kernels cost, within a tenth.
 */
export const thresholdsDefault: PathThresholds = {
  cellSpanMs: 12 * hourMs,
  cellSeriesHours: 8000,
  gridStepMs: 30_000,
  gridsEmbedded: false,
};
const kernel = (reason: string): ChosenPath => ({ path: 'kernel', reason });

/** Other paths than samples that are still open; what closed one says why. */
export interface PathLook {
  readonly wantsCells: boolean;
  readonly wantsGrid: boolean;
  readonly noCells: string;
  readonly noGrid: string;
}

/** What the query alone says; the reason why samples are read, where no other path is open. */
export function firstLook(
  shape: ReadShape,
  wishes: PathWishes,
  capabilities: PushCapabilities | undefined,
): PathLook | string {
  if (capabilities === undefined) return 'the source answers with samples only';
  if (!hasOneMetric(shape.request)) return 'the selector does not name one metric';
  return lookOf(cellsReason(shape, wishes), gridReason(shape, wishes, capabilities));
}

/** The same with the number of series known. */
export function lookAtSeries(
  shape: ReadShape,
  { resolution, thresholds }: PathWishes,
  look: PathLook,
  seriesCount: number,
): PathLook | string {
  if (seriesCount === 0) return 'no series matches';
  const { startMs, endMs } = shape.request;
  const seriesHours = (seriesCount * (endMs - startMs)) / hourMs;
  const isSmall = resolution === 'auto' && seriesHours < thresholds.cellSeriesHours;
  const noCells = isSmall ? 'there are few samples' : look.noCells;
  return lookOf(look.wantsCells && !isSmall ? undefined : noCells, look.wantsGrid ? undefined : look.noGrid);
}

/** The path of a read whose survey is known. */
export function choosePath(
  shape: ReadShape,
  wishes: PathWishes,
  look: PathLook,
  survey: ReadSurvey,
): ChosenPath {
  if (survey.hasHistograms) return kernel('there are native histograms');
  const cells = look.wantsCells ? chooseCells(shape, wishes, survey) : look.noCells;
  if (typeof cells !== 'string') return cells;
  if (!look.wantsGrid) return kernel(`no cells: ${cells}; no grid: ${look.noGrid}`);
  const how = exactOnGrid.has(shape.name) ? 'equal to the last bit' : 'differs by rounding, as asked';
  return { path: 'grid', reason: `the store computes ${shape.name}: ${how}` };
}

function lookOf(noCells: string | undefined, noGrid: string | undefined): PathLook | string {
  if (noCells !== undefined && noGrid !== undefined) return `no cells: ${noCells}; no grid: ${noGrid}`;
  return {
    wantsCells: noCells === undefined,
    wantsGrid: noGrid === undefined,
    noCells: noCells ?? '',
    noGrid: noGrid ?? '',
  };
}

function hasOneMetric({ matchers }: SampleRequest): boolean {
  const names = matchers.filter(({ name }) => name === metricNameLabel);
  return names.length === 1 && names[0].op === '=' && names[0].value !== '';
}

/** Undefined where cells may be asked for. */
function cellsReason(shape: ReadShape, { pushDown, resolution, thresholds }: PathWishes): string | undefined {
  const { name, rangeMs, ends, count } = shape;
  if (resolution === 'raw') return 'max_source_resolution is raw';
  if (pushDown === 'off') return 'query.push_down is off';
  if (!cellFunctions.has(name)) return `cells do not know ${name}`;
  if (resolution !== 'auto') return undefined;
  if (name === 'selector' && rangeMs !== cellMs) return 'the lookback is not five minutes';
  const hasSteps = count > 1;
  if (rangeMs % cellMs !== 0 || ends.firstMs % cellMs !== 0 || (hasSteps && ends.stepMs % cellMs !== 0)) {
    return 'windows are not made of whole cells';
  }
  if (shape.request.endMs - shape.request.startMs < thresholds.cellSpanMs) return 'the range is short';
  return undefined;
}

function chooseCells(
  shape: ReadShape,
  { resolution, thresholds }: PathWishes,
  survey: ReadSurvey,
): ChosenPath | string {
  const { ends, rangeMs, count } = shape;
  const isExact = resolution === 'auto';
  const length = resolution === 'auto' || resolution === 'raw' ? cellMs : resolutionMs[resolution];
  const endOf = (step: number) => Math.floor((ends.firstMs + step * ends.stepMs) / length) * length;
  const widthMs = Math.ceil(rangeMs / length) * length;
  let stepFirst = 0;
  while (stepFirst < count && endOf(stepFirst) - widthMs + cellMs < survey.cellsFromMs) stepFirst++;
  let stepEnd = count;
  while (stepEnd > stepFirst && endOf(stepEnd - 1) > survey.cellsUntilMs) stepEnd--;
  if (stepEnd === stepFirst) return 'no window lies in closed cells';
  const spanMs = endOf(stepEnd - 1) - endOf(stepFirst) + widthMs;
  if (isExact && spanMs < thresholds.cellSpanMs) return 'few windows lie in closed cells';
  const part = stepEnd - stepFirst === count ? 'all' : `${stepEnd - stepFirst} of ${count}`;
  return {
    path: 'cells',
    reason: isExact
      ? `${part} steps are whole closed cells; the rest is read as samples`
      : `max_source_resolution is ${resolution}: ${part} steps come from closed cells`,
    cells: { stepFirst, stepEnd, resolutionMs: length, isExact },
  };
}

/** Undefined where the engine may compute the grid. */
function gridReason(
  { name, ends, count }: ReadShape,
  { pushDown, thresholds }: PathWishes,
  { place, functions }: PushCapabilities,
): string | undefined {
  if (pushDown === 'off') return 'query.push_down is off';
  const isRounded = roundedOnGrid.has(name);
  if (!isRounded && !exactOnGrid.has(name)) return `the store does not compute ${name} as PromQL does`;
  if (isRounded && pushDown === 'exact') return `the store's ${name} differs by rounding`;
  if (!functions.has(name as PushedFunction)) return `the store's ${name} failed its self-test`;
  if (place === 'embedded' && !thresholds.gridsEmbedded)
    return 'samples of the embedded store are as near as its answers';
  if (count > 1 && ends.stepMs > 0 && ends.stepMs < thresholds.gridStepMs)
    return 'the steps are as close as samples';
  return undefined;
}
