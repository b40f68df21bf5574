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

/** Below it, samples are read as fast as cells. */
const cellSpanMsMin = 6 * 3_600_000;
/** A grid finer than that is no smaller than the samples, behind a network. */
const gridStepMsMin = 30_000;
const kernel = (reason: string): ChosenPath => ({ path: 'kernel', reason });

/** Whether the survey of a read can matter; else the reason why it is read as samples. */
export function firstLook(
  shape: ReadShape,
  wishes: PathWishes,
  capabilities: PushCapabilities | undefined,
): { readonly wantsCells: boolean; readonly wantsGrid: boolean } | string {
  if (capabilities === undefined) return 'the source answers with samples only';
  if (!hasOneMetric(shape.request)) return 'the selector does not name one metric';
  const cells = cellsReason(shape, wishes);
  const grid = gridReason(shape, wishes, capabilities);
  if (cells !== undefined && grid !== undefined) return `no cells: ${cells}; no grid: ${grid}`;
  return { wantsCells: cells === undefined, wantsGrid: grid === undefined };
}

/** The path of a read whose survey is known. */
export function choosePath(
  shape: ReadShape,
  wishes: PathWishes,
  capabilities: PushCapabilities,
  survey: ReadSurvey,
): ChosenPath {
  if (survey.seriesCount === 0) return kernel('no series matches');
  if (survey.hasHistograms) return kernel('there are native histograms');
  const reasons: string[] = [];
  const noCells = cellsReason(shape, wishes);
  const cells = noCells === undefined ? chooseCells(shape, wishes, survey) : noCells;
  if (typeof cells !== 'string') return cells;
  reasons.push(`no cells: ${cells}`);
  const noGrid = gridReason(shape, wishes, capabilities);
  if (noGrid === undefined) {
    const how = exactOnGrid.has(shape.name) ? 'equal to the last bit' : 'differs by rounding, as asked';
    return { path: 'grid', reason: `the store computes ${shape.name}: ${how}` };
  }
  return kernel(`${reasons[0]}; no grid: ${noGrid}`);
}

function hasOneMetric({ matchers }: SampleRequest): boolean {
  const names = matchers.filter(({ name }) => name === metricNameLabel);
  return names.length === 1 && names[0].op === '=' && names[0].value !== '';
}

/** Undefined where cells may be asked for. */
function cellsReason(shape: ReadShape, { pushDown, resolution }: PathWishes): string | undefined {
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
  if (shape.request.endMs - shape.request.startMs < cellSpanMsMin) return 'the range is short';
  return undefined;
}

function chooseCells(shape: ReadShape, { resolution }: PathWishes, survey: ReadSurvey): ChosenPath | string {
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
  if (isExact && spanMs < cellSpanMsMin) return 'few windows lie in closed cells';
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
  { pushDown }: PathWishes,
  { place, functions }: PushCapabilities,
): string | undefined {
  if (pushDown === 'off') return 'query.push_down is off';
  const isRounded = roundedOnGrid.has(name);
  if (!isRounded && !exactOnGrid.has(name)) return `the store does not compute ${name} as PromQL does`;
  if (isRounded && pushDown === 'exact') return `the store's ${name} differs by rounding`;
  if (!functions.has(name as PushedFunction)) return `the store's ${name} failed its self-test`;
  if (place === 'embedded') return 'samples of the embedded store are as near as its answers';
  if (count > 1 && ends.stepMs > 0 && ends.stepMs < gridStepMsMin) return 'the steps are as close as samples';
  return undefined;
}
