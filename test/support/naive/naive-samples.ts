/**
 * Samples, native histograms and exemplars as JSON rows of their tables and of `series` and `metric_metadata`, the
 * obvious way: what the transcoders' blocks are compared with. Values are their 64 bits in decimal.
 */
import type { NaiveHistogram } from './naive-histograms.ts';
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
  readonly histograms: Row[] = [];
  readonly exemplars: Row[] = [];
  readonly starts: Row[] = [];
  /** Records that came twice. */
  repeats = 0;
  readonly #newest = new Map<string, { unixMs: number; value: string }>();
  readonly #starts = new Map<string, string>();
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
    this.samples.push({ ...this.#keyOf(pairs, unixMs), v: bits.toString() });
    this.#announce(pairs, unixMs);
  }

  addHistogram(pairs: readonly Pair[], unixMs: number, histogram: NaiveHistogram): void {
    this.histograms.push({ ...this.#keyOf(pairs, unixMs), ...histogram });
    this.#announce(pairs, unixMs);
  }

  /** Returns false where the exemplar's labels are refused. */
  addExemplar(pairs: readonly Pair[], unixMs: number, bits: bigint, labels: readonly Pair[]): boolean {
    const kept = labels.filter(([, value]) => value !== '');
    const names = kept.map(([name]) => name);
    if ([...kept.flat().join('')].length > 128 || new Set(names).size !== names.length) return false;
    const traceId = kept.find(
      ([name, value]) => /^trace(_id|ID)$/.test(name) && /^([0-9a-f]{16}){1,2}$/.test(value),
    );
    this.exemplars.push({
      ...this.#keyOf(pairs, unixMs),
      v: bits.toString(),
      labels: kept.toSorted(byName),
      trace_id: (traceId?.[1] ?? '').padStart(32, '0'),
    });
    this.#announce(pairs, unixMs);
    return true;
  }

  /**
   * Compares with the newest record of a series, and takes its place where it is newer. `sent` is the series as its
   * sender writes it: in another order of labels it is taken for another.
   */
  judge(sent: string, unixMs: number, value: string): 'fresh' | 'repeat' | 'conflict' {
    const newest = this.#newest.get(sent);
    if (newest?.unixMs === unixMs) {
      if (newest.value !== value) return 'conflict';
      this.repeats++;
      return 'repeat';
    }
    if (newest === undefined || unixMs > newest.unixMs) this.#newest.set(sent, { unixMs, value });
    return 'fresh';
  }

  addStart(sent: string, pairs: readonly Pair[], unixMs: number, startMs: number): void {
    if (startMs <= 0 || startMs > unixMs) return;
    const key = this.#keyOf(pairs, unixMs);
    const told = `${startMs} in ${Math.floor(unixMs / 1000 / bucketSeconds)}`;
    if (this.#starts.get(sent) === told) return;
    this.#starts.set(sent, told);
    this.starts.push({ ...key, start_ts: timeText(startMs) });
  }

  #keyOf(pairs: readonly Pair[], unixMs: number): Row & { id: string } {
    const metric = pairs.find(([name]) => name === '__name__')![1];
    return { tenant: this.#task.tenant, metric, id: naiveId(pairs), ts: timeText(unixMs) };
  }

  #announce(pairs: readonly Pair[], unixMs: number): void {
    const { tenant } = this.#task;
    const id = naiveId(pairs);
    const metric = pairs.find(([name]) => name === '__name__')![1];
    const start = Math.floor(unixMs / 1000 / bucketSeconds) * bucketSeconds;
    const known = this.#series.get(id);
    const labels = pairs.filter(([name]) => name !== '__name__').toSorted(byName);
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

function byName([a]: Pair, [b]: Pair): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** A time as DateTime64(3) reads it, also the first second of 1970. */
export function timeText(unixMs: number): string {
  return new Date(unixMs).toISOString().replace('T', ' ').replace('Z', '');
}

export function doubleBits(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}
