/**
 * Alerts in the store, so that a restart goes on where the last process stopped. One row per alert; the newest wins.
 *
 * Time 0 is "not yet". `state` is pending, firing, keep_firing or inactive; of a keep_firing alert, `resolved_at` is
 * when its condition was last seen gone.
 */
import type { Labels } from '#model/labels.ts';
import type { Store } from '#store/store.ts';
import type { Alert } from '../rules/alert-state.ts';
import { floatText, parseFloatText } from './float-text.ts';
import type { RuleGroupKey } from './rules.ts';

/** A row in memory: `updatedMs` is when it was written, and so the last time at which the alert was known so. */
export interface StoredAlert {
  readonly rule: string;
  readonly labels: Labels;
  readonly state: 'pending' | 'firing' | 'keep_firing' | 'inactive';
  readonly value: number;
  readonly activeAtMs: number;
  readonly firedAtMs: number;
  readonly resolvedAtMs: number;
  readonly sentAtMs: number;
  readonly updatedMs: number;
}

/** A statement with its parameters may have 256 KiB, and escapes and hex digits take up to four times the bytes. */
const rowsPerInsertMax = 250;
const labelBytesPerInsertMax = 30_000;
/** Alerts of one group that are read back. */
const alertsPerGroupMax = 100_000;

export function storedAlert(rule: string, alert: Alert, updatedMs: number): StoredAlert {
  const keepsFiring = alert.status === 'firing' && alert.keepFiringSinceMs !== undefined;
  return {
    rule,
    labels: alert.labels,
    state: keepsFiring ? 'keep_firing' : alert.status,
    value: alert.value,
    activeAtMs: alert.activeAtMs,
    firedAtMs: alert.firedAtMs ?? 0,
    resolvedAtMs: (keepsFiring ? alert.keepFiringSinceMs : alert.resolvedAtMs) ?? 0,
    sentAtMs: alert.sentAtMs ?? 0,
    updatedMs,
  };
}

/** Writes rows of one group. */
export async function insertAlertStates(
  store: Store,
  group: RuleGroupKey,
  alerts: readonly StoredAlert[],
): Promise<void> {
  for (const batch of batches(alerts)) {
    await store.exec(
      `INSERT INTO alert_states (tenant, namespace, rule_group, rule, labels, state,
         active_at, fired_at, resolved_at, last_sent_at, value, updated)
       SELECT {tenant:String}, {namespace:String}, {rule_group:String}, rule, labels, state,
         fromUnixTimestamp64Milli(active_ms, 'UTC'), fromUnixTimestamp64Milli(fired_ms, 'UTC'),
         fromUnixTimestamp64Milli(resolved_ms, 'UTC'), fromUnixTimestamp64Milli(sent_ms, 'UTC'),
         toFloat64(value), fromUnixTimestamp64Milli(updated_ms, 'UTC')
       FROM system.one ARRAY JOIN
         {rules:Array(String)} AS rule, {labels:Array(String)} AS labels, {states:Array(String)} AS state,
         {active:Array(Int64)} AS active_ms, {fired:Array(Int64)} AS fired_ms,
         {resolved:Array(Int64)} AS resolved_ms, {sent:Array(Int64)} AS sent_ms,
         {values:Array(String)} AS value, {updated:Array(Int64)} AS updated_ms`,
      {
        params: {
          tenant: group.tenant,
          namespace: group.namespace,
          rule_group: group.name,
          rules: batch.map((alert) => alert.rule),
          labels: batch.map((alert) => JSON.stringify(alert.labels)),
          states: batch.map((alert) => alert.state),
          active: batch.map((alert) => alert.activeAtMs),
          fired: batch.map((alert) => alert.firedAtMs),
          resolved: batch.map((alert) => alert.resolvedAtMs),
          sent: batch.map((alert) => alert.sentAtMs),
          values: batch.map((alert) => floatText(alert.value)),
          updated: batch.map((alert) => alert.updatedMs),
        },
      },
    );
  }
}

interface AlertRow {
  rule: string;
  labels: string;
  state: StoredAlert['state'];
  value: string;
  active_ms: string;
  fired_ms: string;
  resolved_ms: string;
  sent_ms: string;
  updated_ms: string;
}

/** Returns the alerts of a group that were written after `sinceMs`. */
export async function selectAlertStates(
  store: Store,
  group: RuleGroupKey,
  sinceMs: number,
): Promise<StoredAlert[]> {
  const rows = await store.rows<AlertRow>(
    `SELECT rule, labels, state, toString(value) AS value,
       toUnixTimestamp64Milli(active_at) AS active_ms, toUnixTimestamp64Milli(fired_at) AS fired_ms,
       toUnixTimestamp64Milli(resolved_at) AS resolved_ms, toUnixTimestamp64Milli(last_sent_at) AS sent_ms,
       toUnixTimestamp64Milli(updated) AS updated_ms
     FROM alert_states FINAL
     WHERE namespace = {namespace:String} AND rule_group = {rule_group:String}
       AND updated > fromUnixTimestamp64Milli({since_ms:Int64}, 'UTC')
     ORDER BY rule, labels
     LIMIT {limit:UInt32}`,
    {
      tenant: group.tenant,
      params: {
        namespace: group.namespace,
        rule_group: group.name,
        since_ms: sinceMs,
        limit: alertsPerGroupMax,
      },
    },
  );
  return rows.map((row) => ({
    rule: row.rule,
    labels: JSON.parse(row.labels) as Labels,
    state: row.state,
    value: parseFloatText(row.value),
    activeAtMs: Number(row.active_ms),
    firedAtMs: Number(row.fired_ms),
    resolvedAtMs: Number(row.resolved_ms),
    sentAtMs: Number(row.sent_ms),
    updatedMs: Number(row.updated_ms),
  }));
}

function* batches(alerts: readonly StoredAlert[]): Iterable<StoredAlert[]> {
  let batch: StoredAlert[] = [];
  let bytes = 0;
  for (const alert of alerts) {
    const size = Buffer.byteLength(JSON.stringify(alert.labels)) + Buffer.byteLength(alert.rule);
    if (batch.length > 0 && (batch.length >= rowsPerInsertMax || bytes + size > labelBytesPerInsertMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(alert);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
