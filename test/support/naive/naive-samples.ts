/**
 * Samples as JSON rows of `samples_head`, `series` and `metric_metadata`, the obvious way: what the transcoders' blocks
 * are compared with. Values are their 64 bits in decimal.
 */
import { naiveId } from './naive-labels.ts';

export type Pair = readonly [name: string, value: string];
type Row = Record<string, unknown>;

export interface NaiveTask {
  readonly tenant: string;
  readonly nowUnixMs: number;
  readonly oldestUnixMs: number;
}

export const staleBits = 0x7ff0000000000002n;
const bucketSeconds = 7200;
const typeNames = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

export class NaiveSamples {
  readonly samples: Row[] = [];
  readonly #series = new Map<string, Row & { t_min: number; t_max: number }>();
  readonly #metadata = new Map<string, Row>();
  readonly #task: NaiveTask;

  constructor(task: NaiveTask) {
    this.#task = task;
  }

  get seriesRows(): Row[] {
    return [...this.#series.values()];
  }

  get metadataRows(): Row[] {
    return [...this.#metadata.values()];
  }

  isKept(unixMs: number): boolean {
    return unixMs >= 0 && unixMs < 2 ** 32 * 1000 && unixMs >= this.#task.oldestUnixMs;
  }

  /** `pairs` hold __name__; empty values and repeated names must be gone. */
  add(pairs: readonly Pair[], unixMs: number, bits: bigint): void {
    const { tenant } = this.#task;
    const id = naiveId(pairs);
    const metric = pairs.find(([name]) => name === '__name__')![1];
    this.samples.push({ tenant, metric, id, ts: (unixMs / 1000).toFixed(3), v: bits.toString() });
    const start = Math.floor(unixMs / 1000 / bucketSeconds) * bucketSeconds;
    const known = this.#series.get(id);
    const labels = pairs
      .filter(([name]) => name !== '__name__')
      .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    this.#series.set(id, {
      tenant,
      metric,
      id,
      labels,
      t_min: Math.min(known?.t_min ?? start, start),
      t_max: Math.max(known?.t_max ?? 0, start + bucketSeconds - 1),
    });
  }

  describe(metric: string, type: number, help: string, unit: string): void {
    const updated = Math.floor(this.#task.nowUnixMs / 1000);
    const row = {
      tenant: this.#task.tenant,
      metric,
      type: typeNames[type] ?? 'unknown',
      help,
      unit,
      updated,
    };
    this.#metadata.set(JSON.stringify(row), row);
  }
}

export function doubleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
