/**
 * Samples into samples_head and out through the query's source, bit for bit, and the obvious way to say what must come
 * out: of one series and time the largest value, NaN below all, and of equals the larger bits.
 */
import { createSampleSource } from '#query/sql/samples.ts';
import type { Store } from '#store/store.ts';

export interface StoredSample {
  readonly series: number;
  readonly timeMs: number;
  readonly bits: bigint;
}

export const staleBits = 0x7ff0000000000002n;
/** A NaN that somebody gave a payload. */
export const payloadBits = 0x7ff80000deadbeefn;
export const tenant = 'acme';
export const hourMs = 3_600_000;
/** 2026-11-10T00:00:00Z */
export const dayMs = 1_794_268_800_000;

export function bitsOf(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!;
}

export function floatOf(bits: bigint): number {
  return new Float64Array(new BigUint64Array([bits]).buffer)[0]!;
}

/** One insert, and so at least one part. */
export async function insertSamples(store: Store, samples: readonly StoredSample[]): Promise<void> {
  if (samples.length === 0) return;
  const rows = samples.map(({ series, timeMs, bits }) => `${series},${timeMs},${bits}`).join(';');
  await store.exec(
    `INSERT INTO samples_head SELECT {tenant:String}, 'm', toUInt64(f[1]), fromUnixTimestamp64Milli(toInt64(f[2]), 'UTC'),
      reinterpretAsFloat64(toUInt64(f[3])) FROM (SELECT splitByChar(',', arrayJoin(splitByChar(';', {rows:String}))) AS f)`,
    { params: { tenant, rows } },
  );
}

/** Makes series 1 to `count` known to the query. */
export async function insertSeries(store: Store, count: number): Promise<void> {
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
     SELECT {tenant:String}, 'm', number + 1, map('s', toString(number + 1)), 0, 4294967295 FROM numbers({count:UInt32})`,
    { params: { tenant, count } },
  );
}

/** What a reader sees: `series@time` and the bits of the value, in hex. Throws where one time comes twice. */
export async function readSamples(store: Store): Promise<Map<string, string>> {
  const source = createSampleSource(store, tenant, { seriesMax: 100_000 });
  const seen = new Map<string, string>();
  const matchers = [{ name: '__name__', op: '=', value: 'm' }] as const;
  for await (const found of source.select({ matchers, startMs: -1, endMs: 4e12 })) {
    const series = found.labels.find(([name]) => name === 's')?.[1];
    const bits = new BigUint64Array(found.values.slice().buffer);
    found.timestamps.forEach((timeMs, i) => {
      const key = `${series}@${timeMs}`;
      if (seen.has(key)) throw new Error(`${key} came twice`);
      seen.set(key, bits[i]!.toString(16));
    });
  }
  return seen;
}

/** What a reader must see. */
export function expectedSamples(samples: readonly StoredSample[]): Map<string, string> {
  return new Map(
    [...winners(samples)].map(([key, { bits }]) => [key, bits.toString(16)] as const).sort(byKey),
  );
}

/** The sample that stays, for each series and time. */
export function winners(samples: readonly StoredSample[]): Map<string, StoredSample> {
  const best = new Map<string, StoredSample>();
  for (const sample of samples) {
    const key = `${sample.series}@${sample.timeMs}`;
    const other = best.get(key);
    if (other === undefined || isBetter(sample.bits, other.bits)) best.set(key, sample);
  }
  return best;
}

function isBetter(bits: bigint, other: bigint): boolean {
  const [a, b] = [floatOf(bits), floatOf(other)];
  if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(b);
  if (a !== b && !Number.isNaN(a)) return a > b;
  return BigInt.asIntN(64, bits) > BigInt.asIntN(64, other);
}

/** Sorted, so that two maps of the same samples are equal as text. */
export function sorted(samples: Map<string, string>): Map<string, string> {
  return new Map([...samples].sort(byKey));
}

function byKey([a]: readonly [string, string], [b]: readonly [string, string]): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
