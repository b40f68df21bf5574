/**
 * PromQL's functions as ClickHouse's time series aggregates have them, and the test that they must pass before they are
 * used: older servers look at closed windows, or lack one.
 */
import { type Store, StoreError } from '#store/store.ts';
import type { PushCapabilities, PushedFunction } from '../promql/pushed/pushed-source.ts';

export interface GridFunction {
  readonly aggregate: string;
  /** Its samples are such that it answers something else than PromQL. */
  readonly suspect: string;
  /** The newest sample may be a stale marker; the others never see one. */
  readonly keepsStale: boolean;
}

/** 0x7ff0000000000002: what Prometheus writes where a series ends. */
export const isStaleSql = 'isNaN(v) AND reinterpretAsUInt64(v) = 9218868437227405314';
/** Of samples with one time the engine takes the largest, and a NaN by chance. */
const doubtfulRepeats = 'countIf(isNaN(v)) > 0 AND count() != uniqExact(ts)';
const never = { suspect: doubtfulRepeats, keepsStale: false };

export const gridFunctions: Readonly<Record<PushedFunction, GridFunction>> = {
  selector: { aggregate: 'timeSeriesLastToGrid', suspect: doubtfulRepeats, keepsStale: true },
  last_over_time: { aggregate: 'timeSeriesLastToGrid', ...never },
  idelta: { aggregate: 'timeSeriesInstantDeltaToGrid', ...never },
  resets: { aggregate: 'timeSeriesResetsToGrid', ...never },
  // From NaN to NaN is a change there, and none in PromQL.
  changes: { aggregate: 'timeSeriesChangesToGrid', suspect: 'countIf(isNaN(v)) > 0', keepsStale: false },
  // Prefix sums: one infinity spoils every window behind it.
  rate: { aggregate: 'timeSeriesRateToGrid', suspect: 'countIf(NOT isFinite(v)) > 0', keepsStale: false },
  increase: {
    aggregate: 'timeSeriesIncreaseToGrid',
    suspect: 'countIf(NOT isFinite(v)) > 0',
    keepsStale: false,
  },
  delta: { aggregate: 'timeSeriesDeltaToGrid', ...never },
  irate: { aggregate: 'timeSeriesInstantRateToGrid', ...never },
};

/** Either name of the setting that lets them run; newer servers know both. */
const settingNames = [
  'allow_experimental_time_series_aggregate_functions',
  'allow_experimental_ts_to_grid_aggregate_function',
] as const;

export interface GridProbe extends PushCapabilities {
  /** Settings that the functions need. */
  readonly settings: Readonly<Record<string, number>>;
  /** Those that failed, with the reason. */
  readonly failures: ReadonlyMap<PushedFunction, string>;
}

/**
 * Samples at 10 to 60 s, the windows (10, 40], (30, 60] and (50, 80]: the sample at 10 s is on the left edge, the counter starts
 * anew at 30 s, and the last window has one sample.
 */
const probeSamples = '[(10, 100.), (20, 5.), (30, 1.), (40, 4.), (50, 4.), (60, 6.)]';
const probeAnswers: Readonly<Record<PushedFunction, readonly (number | null)[]>> = {
  selector: [4, 6, 6],
  last_over_time: [4, 6, 6],
  idelta: [3, 2, null],
  resets: [1, 0, 0],
  changes: [2, 1, 0],
  rate: [0.2, 0.1, null],
  increase: [6, 3, null],
  delta: [-1.5, 3, null],
  irate: [0.3, 0.2, null],
};

/** Rejects with StoreError where the store does not answer. */
export async function probeGridFunctions(store: Store): Promise<GridProbe> {
  const known = await store.rows<{ name: string }>(
    `SELECT name FROM system.settings WHERE name IN ('${settingNames.join("', '")}')`,
  );
  const settings = Object.fromEntries(known.slice(0, 1).map(({ name }) => [name, 1]));
  const functions = new Set<PushedFunction>();
  const failures = new Map<PushedFunction, string>();
  for (const name of Object.keys(gridFunctions) as PushedFunction[]) {
    const failure = await probe(store, name, settings);
    if (failure === undefined) functions.add(name);
    else failures.set(name, failure);
  }
  return { place: store.kind, functions, settings, failures };
}

async function probe(
  store: Store,
  name: PushedFunction,
  settings: Readonly<Record<string, number>>,
): Promise<string | undefined> {
  const at = (second: number) => `toDateTime64(${second}, 3, 'UTC')`;
  try {
    const [row] = await store.rows<{ r: (number | null)[] }>(
      `SELECT ${gridFunctions[name].aggregate}(${at(40)}, ${at(80)}, 20, 30)(ts, v) AS r FROM (
         SELECT toDateTime64(s.1, 3, 'UTC') AS ts, s.2 AS v FROM (SELECT arrayJoin(${probeSamples}) AS s))`,
      { settings },
    );
    const wanted = probeAnswers[name];
    const isEqual = wanted.every((value, i) => isNear(value, row.r[i]));
    return isEqual
      ? undefined
      : `it answers ${JSON.stringify(row.r)} where ${JSON.stringify(wanted)} is right`;
  } catch (error) {
    // The engine does not have it, or wants other arguments. A store that is not there is no answer at all.
    if (error instanceof StoreError && !error.retryable && error.clickhouseCode !== undefined) {
      return error.message;
    }
    throw error;
  }
}

function isNear(wanted: number | null, found: number | null | undefined): boolean {
  if (wanted === null || found === null || found === undefined) return wanted === (found ?? null);
  return Math.abs(wanted - found) <= 1e-9;
}
