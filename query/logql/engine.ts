/**
 * Evaluates LogQL metric queries at evenly spaced times, over a LogSource.
 *
 *   count_over_time({app="a"}[5m]) at 10:00, 10:01, ...  ->  per label set, lines in (9:55, 10:00], (9:56, 10:01], ...
 *
 * Windows are cut into cells whose width divides both step and range; storage counts per cell, and each window is the
 * exact sum of its cells. A window without lines has no sample.
 */
import { LimitError, RefusedError } from '#model/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { LogCount, LogSource } from './source.ts';
import type { AggregationExpr, Grouping, MetricExpr, RangeExpr } from './tree.ts';
import { combine, foldGroups, type LogqlSeries } from './vector-algebra.ts';

/** Times at which to evaluate: startUnixNano + i * stepNano, for i below count. */
export interface EvaluationTimes {
  readonly startUnixNano: bigint;
  /** Above zero; any where count is 1. */
  readonly stepNano: bigint;
  readonly count: number;
}

/** Evaluates at most this many points per series, as Loki and Prometheus do. */
export const pointsMax = 11_000;

export interface MetricRequest {
  readonly expr: MetricExpr;
  readonly times: EvaluationTimes;
  readonly source: LogSource;
  /** Series that a result may have. */
  readonly seriesMax: number;
  readonly abort?: AbortSignal;
}

/** A number, or series whose values are undefined where they have no sample. */
export type MetricResult = number | LogqlSeries[];

/** Rejects with LimitError, and with what the source rejects with. */
export async function evaluateMetric(request: MetricRequest): Promise<MetricResult> {
  const { expr, times } = request;
  switch (expr.kind) {
    case 'number':
      return expr.value;
    case 'vector':
      return [{ labels: [], values: new Array<number>(times.count).fill(expr.value) }];
    case 'range':
      return evaluateRange(request, expr, undefined);
    case 'aggregation':
      return evaluateAggregation(request, expr);
    case 'binary': {
      const left = await evaluateMetric({ ...request, expr: expr.left });
      const right = await evaluateMetric({ ...request, expr: expr.right });
      return combine(expr.op, left, right);
    }
    default:
      return expr satisfies never;
  }
}

async function evaluateAggregation(request: MetricRequest, expr: AggregationExpr): Promise<MetricResult> {
  const { inner, name, grouping } = expr;
  // A sum of counts by some labels is the count by these labels: storage then returns the few groups only.
  const isPushed = name === 'sum' && inner.kind === 'range' && grouping?.word !== 'without';
  const series = isPushed
    ? await evaluateRange(request, inner, grouping?.labels ?? [])
    : await evaluateMetric({ ...request, expr: inner });
  if (typeof series === 'number') throw new RefusedError(`${name}() aggregates series, not a number`);
  return foldGroups(name, grouping ?? everything, series);
}

const everything: Grouping = { word: 'by', labels: [] };

async function evaluateRange(
  request: MetricRequest,
  expr: RangeExpr,
  groupBy: readonly string[] | undefined,
): Promise<LogqlSeries[]> {
  const { times, source, seriesMax } = request;
  const cellNano = times.count === 1 ? expr.rangeNano : greatestCommonDivisor(times.stepNano, expr.rangeNano);
  const lastUnixNano = times.startUnixNano + times.stepNano * BigInt(times.count - 1) - expr.offsetNano;
  const counts = await source.count(
    {
      matchers: expr.log.matchers,
      lineFilters: expr.log.lineFilters,
      measure: expr.name === 'bytes_over_time' || expr.name === 'bytes_rate' ? 'bytes' : 'lines',
      groupBy,
      startUnixNano: String(times.startUnixNano - expr.offsetNano - expr.rangeNano),
      endUnixNano: String(lastUnixNano),
      cellNano: String(cellNano),
    },
    request.abort,
  );
  const isRate = expr.name === 'rate' || expr.name === 'bytes_rate';
  const windows = {
    count: times.count,
    cellsPerStep: times.count === 1 ? 1 : Number(times.stepNano / cellNano),
    cellsPerRange: Number(expr.rangeNano / cellNano),
    divisor: isRate ? Number(expr.rangeNano) / 1e9 : 1,
  };
  const groups = [...groupCounts(counts).values()];
  if (groups.length > seriesMax) {
    throw new LimitError(`the query selects more than ${seriesMax} series`, 'query.series_max');
  }
  return groups.map(({ labels, cells }) => ({ labels, values: sumWindows(cells, windows) }));
}

function groupCounts(counts: readonly LogCount[]): Map<string, { labels: Labels; cells: LogCount[] }> {
  const groups = new Map<string, { labels: Labels; cells: LogCount[] }>();
  for (const count of counts) {
    const key = JSON.stringify(count.labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels: count.labels, cells: [count] });
    else group.cells.push(count);
  }
  return groups;
}

interface Windows {
  readonly count: number;
  readonly cellsPerStep: number;
  readonly cellsPerRange: number;
  readonly divisor: number;
}

/** Window i is the cells from i * cellsPerStep, cellsPerRange of them. Sums of whole numbers: exact below 2^53. */
function sumWindows(cells: LogCount[], windows: Windows): (number | undefined)[] {
  cells.sort((a, b) => a.cell - b.cell);
  const values = new Array<number | undefined>(windows.count).fill(undefined);
  let first = 0;
  let end = 0;
  let sum = 0;
  for (let i = 0; i < windows.count; i++) {
    const cellFirst = i * windows.cellsPerStep;
    const cellEnd = cellFirst + windows.cellsPerRange;
    while (end < cells.length && cells[end].cell < cellEnd) sum += cells[end++].value;
    while (first < end && cells[first].cell < cellFirst) sum -= cells[first++].value;
    if (first < end) values[i] = sum / windows.divisor;
  }
  return values;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  let [x, y] = [a, b];
  while (y !== 0n) [x, y] = [y, x % y];
  return x;
}
