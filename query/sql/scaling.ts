/** Scaling signals and decisions in the store. Of a signal every version is kept, and the newest wins. */
import type { Store } from '#store/store.ts';
import { floatText } from './float-text.ts';

export interface StoredSignal {
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
  /** JSON as it was checked, defaults filled in. */
  readonly definition: string;
}

export interface SignalChange extends StoredSignal {
  readonly isDeleted: boolean;
  readonly updatedMs: number;
}

/** One evaluation and what followed from it. */
export interface ScalingDecision {
  readonly tenant: string;
  readonly timeMs: number;
  readonly signal: string;
  /** What the query gave; undefined where data was missing. */
  readonly value: number | undefined;
  /** What askers got. */
  readonly served: number | undefined;
  /** Undefined while no asker has said how many replicas there are. */
  readonly desiredReplicas: number | undefined;
  readonly reason: string;
}

export const signalsPerTenantMax = 5000;
/** A statement with its parameters may have 256 KiB. */
export const decisionsPerInsertMax = 100;

export async function insertSignal(store: Store, change: SignalChange): Promise<void> {
  await store.exec(
    `INSERT INTO scaling_signals (tenant, name, version, definition, deleted, updated)
     SELECT {tenant:String}, {name:String}, {version:UInt64}, {definition:String}, {deleted:UInt8},
       fromUnixTimestamp64Milli({updated_ms:Int64}, 'UTC')`,
    {
      params: {
        tenant: change.tenant,
        name: change.name,
        version: change.version,
        definition: change.definition,
        deleted: change.isDeleted ? 1 : 0,
        updated_ms: change.updatedMs,
      },
    },
  );
}

/** Returns a tenant's signals, sorted by name. */
export async function selectSignals(store: Store, tenant: string): Promise<StoredSignal[]> {
  const rows = await store.rows<{ name: string; latest: string; text: string }>(
    `SELECT name, max(version) AS latest, argMax(definition, (version, updated)) AS text
     FROM scaling_signals
     GROUP BY name
     HAVING argMax(deleted, (version, updated)) = 0
     ORDER BY name
     LIMIT {limit:UInt32}`,
    { tenant, params: { limit: signalsPerTenantMax } },
  );
  return rows.map((row) => ({ tenant, name: row.name, version: Number(row.latest), definition: row.text }));
}

/** The number of the newest version of a signal, deleted ones included; 0 where there was none. */
export async function selectSignalVersion(store: Store, tenant: string, name: string): Promise<number> {
  const rows = await store.rows<{ latest: string }>(
    'SELECT max(version) AS latest FROM scaling_signals WHERE name = {name:String}',
    { tenant, params: { name } },
  );
  return Number(rows[0]?.latest ?? 0);
}

/** Returns every tenant that has signals, with text that changes when any of them does. For the scheduler only. */
export async function selectSignalTenants(store: Store): Promise<Map<string, string>> {
  const rows = await store.rows<{ tenant: string; revision: string }>(
    `SELECT tenant, concat(toString(count()), '-', toString(max(updated))) AS revision
     FROM scaling_signals GROUP BY tenant ORDER BY tenant`,
  );
  return new Map(rows.map((row) => [row.tenant, row.revision]));
}

/** Writes up to decisionsPerInsertMax decisions. */
export async function insertDecisions(store: Store, decisions: readonly ScalingDecision[]): Promise<void> {
  const optional = (value: number | undefined) => (value === undefined ? '' : floatText(value));
  await store.exec(
    `INSERT INTO scaling_decisions (tenant, ts, signal, value, served, desired, reason)
     SELECT tenant, fromUnixTimestamp64Milli(ts_ms, 'UTC'), signal, toFloat64OrNull(value), toFloat64OrNull(served),
       toInt64OrNull(desired), reason
     FROM system.one ARRAY JOIN
       {tenants:Array(String)} AS tenant, {times:Array(Int64)} AS ts_ms, {signals:Array(String)} AS signal,
       {values:Array(String)} AS value, {served:Array(String)} AS served, {desired:Array(String)} AS desired,
       {reasons:Array(String)} AS reason`,
    {
      params: {
        tenants: decisions.map((decision) => decision.tenant),
        times: decisions.map((decision) => decision.timeMs),
        signals: decisions.map((decision) => decision.signal),
        values: decisions.map((decision) => optional(decision.value)),
        served: decisions.map((decision) => optional(decision.served)),
        desired: decisions.map((decision) => optional(decision.desiredReplicas)),
        reasons: decisions.map((decision) => decision.reason),
      },
    },
  );
}
