/** Delta histograms as cumulative ones, the obvious way: buckets in maps, and widening and reducing until nothing changes. */
import { bucketMap, merged, type NaiveParts, withoutEmpty } from './naive-histograms.ts';
import { doubleBits } from './naive-samples.ts';

const bucketsMax = 4096;

interface State {
  /** Undefined where only stale markers came. */
  readonly total: NaiveParts | undefined;
  readonly lastMs: number;
}

/** Sides by name, each bucket by its index. */
interface Wide {
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  sides: Map<number, number>[];
}

export class NaiveHistogramDeltas {
  readonly #states = new Map<string, State>();
  readonly #staleMs: number;

  constructor(staleMs: number) {
    this.#staleMs = staleMs;
  }

  /**
   * Adds a point to its series. Returns its total, or undefined where it is not added; `point` is undefined for a stale
   * marker, and then what is returned means only that it was taken.
   */
  add(
    series: string,
    point: NaiveParts | undefined,
    startMs: number,
    unixMs: number,
  ): NaiveParts | 'stale' | undefined {
    if (point !== undefined && !Number.isFinite(doubleOf(point.sumBits))) return undefined;
    const state = this.#states.get(series);
    if (state !== undefined && unixMs <= state.lastMs) return undefined;
    if (state !== undefined && startMs !== 0 && startMs < state.lastMs) return undefined;
    const beganMs = startMs === 0 ? unixMs : Math.max(startMs, unixMs - this.#staleMs);
    const goesOn = state !== undefined && beganMs - state.lastMs <= this.#staleMs;
    const before = goesOn ? state.total : undefined;
    if (point === undefined) {
      this.#states.set(series, { total: before, lastMs: unixMs });
      return 'stale';
    }
    const total = before === undefined || !hasSameBounds(before, point) ? point : sumOf(before, point);
    this.#states.set(series, { total, lastMs: unixMs });
    return total;
  }
}

function hasSameBounds(a: NaiveParts, b: NaiveParts): boolean {
  const isExponential = a.schema !== -53 && b.schema !== -53;
  return isExponential || (a.schema === b.schema && String(a.customValues) === String(b.customValues));
}

function sumOf(total: NaiveParts, point: NaiveParts): NaiveParts {
  const schema = Math.min(total.schema, point.schema);
  const [a, b] = [wideOf(total, schema), wideOf(point, schema)];
  while (a.zeroThreshold !== b.zeroThreshold) {
    const [narrow, threshold] =
      a.zeroThreshold < b.zeroThreshold ? [a, b.zeroThreshold] : [b, a.zeroThreshold];
    widen(narrow, threshold);
  }
  let sides = a.sides.map((side, i) => {
    const sum = new Map(side);
    for (const [index, count] of b.sides[i]!) sum.set(index, (sum.get(index) ?? 0) + count);
    return sum;
  });
  let kept = sides.map(withoutEmpty);
  let reduced = schema;
  while (kept.some(({ counts, spans }) => Math.max(counts.length, spans.length) > bucketsMax)) {
    reduced--;
    sides = sides.map((side) => merged(side, 1));
    kept = sides.map(withoutEmpty);
  }
  return {
    ...total,
    schema: reduced,
    count: total.count + point.count,
    sumBits: doubleBits(doubleOf(total.sumBits) + doubleOf(point.sumBits)),
    zeroThreshold: a.zeroThreshold,
    zeroCount: a.zeroCount + b.zeroCount,
    positive: kept[0]!,
    negative: kept[1]!,
  };
}

function wideOf(parts: NaiveParts, schema: number): Wide {
  const sides = [parts.positive, parts.negative].map((side) => {
    const filled = [...bucketMap(side)!].filter(([, count]) => count > 0);
    return merged(new Map(filled), parts.schema - schema);
  });
  return { schema, zeroThreshold: parts.zeroThreshold, zeroCount: parts.zeroCount, sides };
}

function widen(wide: Wide, threshold: number): void {
  const upper = (index: number) => 2 ** (index / 2 ** wide.schema);
  let end = threshold;
  for (;;) {
    const cut = wide.sides
      .flatMap((side) => [...side.keys()])
      .filter((index) => upper(index - 1) < end && upper(index) > end);
    if (cut.length === 0) break;
    end = Math.max(...cut.map(upper));
  }
  for (const side of wide.sides) {
    for (const [index, count] of [...side]) {
      if (upper(index) > end) continue;
      side.delete(index);
      wide.zeroCount += count;
    }
  }
  wide.zeroThreshold = end;
}

function doubleOf(bits: bigint): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, bits);
  return view.getFloat64(0);
}
