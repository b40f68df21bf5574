/**
 * Totals of metrics that are made of log records: cumulative counters and histograms, by labels, since the start.
 *
 * Invariant: a record is added once, when the batch that it came in is settled. The number of label sets of a metric is
 * bounded; records beyond go to one series whose labels are all `other`, so that sums stay right.
 */
import { type Labels, sortLabels } from '#model/labels.ts';

export interface MetricDescription {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram';
  /** Upper bounds of a histogram's buckets, ascending, without +Inf. */
  readonly buckets: readonly number[];
  readonly labelNames: readonly string[];
  readonly seriesMax: number;
}

/** What one label set has counted. */
export interface Cell {
  readonly values: readonly string[];
  count: number;
  sum: number;
  /** Histograms: records in each bucket alone, the last one is +Inf. */
  readonly inBucket: Float64Array;
}

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** Fills in what is left of a metric's labels beyond seriesMax. */
export const otherValue = 'other';

export function createCell(values: readonly string[], { type, buckets }: MetricDescription): Cell {
  return {
    values,
    count: 0,
    sum: 0,
    inBucket: new Float64Array(type === 'histogram' ? buckets.length + 1 : 0),
  };
}

export function cellKey(values: readonly string[]): string {
  return values.join('\0');
}

export class MetricSeries {
  readonly #metrics = new Map<string, { description: MetricDescription; cells: Map<string, Cell> }>();

  /** False: a metric of that name is there, and is another. */
  declare(description: MetricDescription): boolean {
    const known = this.#metrics.get(description.name);
    if (known !== undefined) return JSON.stringify(known.description) === JSON.stringify(description);
    this.#metrics.set(description.name, { description, cells: new Map() });
    return true;
  }

  /** Adds what a range has counted. Returns how many records found no series of their own. */
  add(name: string, counted: Iterable<Cell>): number {
    const { description, cells } = this.#metrics.get(name)!;
    let overflow = 0;
    for (const cell of counted) {
      let key = cellKey(cell.values);
      let { values } = cell;
      if (!cells.has(key) && cells.size >= description.seriesMax) {
        values = values.map(() => otherValue);
        key = cellKey(values);
        overflow += cell.count;
      }
      let total = cells.get(key);
      if (total === undefined) {
        total = createCell(values, description);
        cells.set(key, total);
      }
      total.count += cell.count;
      total.sum += cell.sum;
      for (let index = 0; index < cell.inBucket.length; index++)
        total.inBucket[index] += cell.inBucket[index];
    }
    return overflow;
  }

  /** All series as Prometheus has them, each with its metric's description. */
  *samples(): Generator<Sample & { readonly description: MetricDescription }> {
    for (const { description, cells } of this.#metrics.values()) {
      for (const cell of cells.values()) {
        for (const sample of cellSamples(description, cell)) yield { ...sample, description };
      }
    }
  }
}

function* cellSamples(description: MetricDescription, cell: Cell): Generator<Sample> {
  const { name, labelNames, buckets, type } = description;
  const own = labelNames.map((label, index): [string, string] => [label, cell.values[index]!]);
  const sample = (suffix: string, value: number, more: [string, string][] = []): Sample => ({
    labels: sortLabels([['__name__', name + suffix], ...own, ...more]),
    value,
  });
  if (type === 'counter') {
    yield sample('', cell.sum);
    return;
  }
  let below = 0;
  for (const [index, count] of cell.inBucket.entries()) {
    below += count;
    const bound = index < buckets.length ? String(buckets[index]) : '+Inf';
    yield sample('_bucket', below, [['le', bound]]);
  }
  yield sample('_sum', cell.sum);
  yield sample('_count', cell.count);
}
