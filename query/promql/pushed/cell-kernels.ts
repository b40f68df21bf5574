/**
 * Functions of a window that is made of whole cells. Each does what its kernel of samples does, in the same order of
 * operations, and says where it cannot know whether the outcome is the same to the last bit.
 */
import { extrapolationFactor } from '../functions/extrapolation.ts';
import { type CellColumn, type CellSeries, noNegativeZero, onlyIntegers } from './pushed-source.ts';

/** The cells of a window: places from <= i < to, and the bounds that they stand for. */
export interface CellWindow {
  readonly cells: CellSeries;
  from: number;
  to: number;
  startMs: number;
  endMs: number;
  readonly rangeMs: number;
  /** What the kernel found. */
  result: number;
  /** Samples may give another result, by rounding or in the sign of a zero. */
  isSuspect: boolean;
}

export interface CellFunction {
  readonly columns: readonly CellColumn[];
  /** Writes window.result and returns true; false where there is no value. Windows without a sample do not come here. */
  readonly kernel: (window: CellWindow) => boolean;
  /** The result grows with the window's length: where windows were widened, it is taken in proportion. */
  readonly isProportional?: boolean;
}

/** Whole numbers up to here are added without rounding. */
const exactSumMax = 2 ** 53;

function always(
  columns: readonly CellColumn[],
  compute: (window: CellWindow) => number,
): Pick<CellFunction, 'columns' | 'kernel'> {
  return {
    columns,
    kernel: (window) => {
      window.result = compute(window);
      return true;
    },
  };
}

function column({ cells }: CellWindow, name: CellColumn): Float64Array {
  const found = cells.columns[name];
  if (found === undefined) throw new Error(`BUG: the cells were read without ${name}`);
  return found;
}

function firstPlace({ cells, from }: CellWindow): number {
  let place = from;
  while (cells.counts[place] === 0) place++;
  return place;
}

function lastPlace({ cells, to }: CellWindow): number {
  let place = to - 1;
  while (cells.counts[place] === 0) place--;
  return place;
}

function countOf({ cells, from, to }: CellWindow): number {
  let count = 0;
  for (let i = from; i < to; i++) count += cells.counts[i];
  return count;
}

function extreme(name: 'vmin' | 'vmax', isBetter: (value: number, best: number) => boolean) {
  return always([name, 'traits'], (window) => {
    const values = column(window, name);
    const traits = column(window, 'traits');
    let best = NaN;
    for (let i = window.from; i < window.to; i++) {
      if (window.cells.counts[i] === 0) continue;
      if (isBetter(values[i], best) || Number.isNaN(best)) best = values[i];
      // Of 0 and -0, the first one wins among samples: cells do not know which that was.
      if (values[i] === 0 && (traits[i] & noNegativeZero) === 0) window.isSuspect = true;
    }
    return best;
  });
}

/** Exact as long as all that is added is whole and small. */
function total(window: CellWindow): number {
  const sums = column(window, 'vsum');
  const traits = column(window, 'traits');
  const smallest = column(window, 'vmin');
  const largest = column(window, 'vmax');
  let sum = 0;
  let bound = 0;
  for (let i = window.from; i < window.to; i++) {
    const count = window.cells.counts[i];
    if (count === 0) continue;
    sum += sums[i];
    bound += count * Math.max(Math.abs(smallest[i]), Math.abs(largest[i]));
    if ((traits[i] & onlyIntegers) === 0) window.isSuspect = true;
  }
  if (!(bound <= exactSumMax)) window.isSuspect = true;
  return sum;
}

const sumColumns = ['vsum', 'vmin', 'vmax', 'traits'] as const;
const rateColumns = ['t0', 't1', 'v0', 'v1', 'resets', 'reset_count'] as const;

function difference(window: CellWindow, isCounter: boolean, isRate: boolean): boolean {
  const count = countOf(window);
  if (count < 2) return false;
  const firstValues = column(window, 'v0');
  const lastValues = column(window, 'v1');
  const [firstCell, lastCell] = [firstPlace(window), lastPlace(window)];
  const first = firstValues[firstCell];
  let change = lastValues[lastCell] - first;
  if (isCounter) {
    const resets = column(window, 'resets');
    const resetCounts = column(window, 'reset_count');
    let before = first;
    for (let i = firstCell; i <= lastCell; i++) {
      if (window.cells.counts[i] === 0) continue;
      if (firstValues[i] < before) change += before;
      if (resetCounts[i] > 0) change += resets[i];
      if (resetCounts[i] > 1) window.isSuspect = true;
      before = lastValues[i];
    }
  }
  const toZeroRatio = isCounter && change > 0 && first >= 0 ? first / change : Infinity;
  const factor = extrapolationFactor(
    window.startMs,
    window.endMs,
    column(window, 't0')[firstCell],
    column(window, 't1')[lastCell],
    count,
    toZeroRatio,
    undefined,
  );
  window.result = change * (isRate ? factor / (window.rangeMs / 1000) : factor);
  return true;
}

function countResets(window: CellWindow): number {
  const firstValues = column(window, 'v0');
  const lastValues = column(window, 'v1');
  const resetCounts = column(window, 'reset_count');
  let count = 0;
  let before = NaN;
  for (let i = window.from; i < window.to; i++) {
    if (window.cells.counts[i] === 0) continue;
    if (firstValues[i] < before) count++;
    // Cells of older programs do not know, and say so with a number that no cell can have.
    if (resetCounts[i] > window.cells.counts[i]) window.isSuspect = true;
    count += resetCounts[i];
    before = lastValues[i];
  }
  return count;
}

/** By the function's name; `selector` is the newest sample, if it is not a stale marker. */
export const cellFunctionTable: Readonly<Record<string, CellFunction>> = {
  selector: {
    columns: ['v1', 'stale'],
    kernel: (window) => {
      const place = lastPlace(window);
      window.result = column(window, 'v1')[place];
      return column(window, 'stale')[place] === 0;
    },
  },
  rate: { columns: rateColumns, kernel: (window) => difference(window, true, true) },
  increase: {
    columns: rateColumns,
    kernel: (window) => difference(window, true, false),
    isProportional: true,
  },
  delta: {
    columns: ['t0', 't1', 'v0', 'v1'],
    kernel: (window) => difference(window, false, false),
    isProportional: true,
  },
  resets: { ...always(['v0', 'v1', 'reset_count'], countResets), isProportional: true },
  sum_over_time: { ...always(sumColumns, (window) => total(window)), isProportional: true },
  avg_over_time: always(sumColumns, (window) => {
    const count = countOf(window);
    // As the kernel adds what it has kept of rounding, which is nothing here: -0 becomes 0.
    return total(window) / count + 0 / count;
  }),
  min_over_time: extreme('vmin', (value, best) => value < best),
  max_over_time: extreme('vmax', (value, best) => value > best),
  count_over_time: { ...always([], countOf), isProportional: true },
  present_over_time: always([], () => 1),
  first_over_time: always(['v0'], (window) => column(window, 'v0')[firstPlace(window)]),
  last_over_time: always(['v1'], (window) => column(window, 'v1')[lastPlace(window)]),
  ts_of_first_over_time: always(['t0'], (window) => column(window, 't0')[firstPlace(window)] / 1000),
  ts_of_last_over_time: always(['t1'], (window) => column(window, 't1')[lastPlace(window)] / 1000),
};
