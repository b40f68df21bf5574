/** What is known about a rule group while it runs: the health of each rule, its alerts, and what the store has of them. */

import type { Labels } from '#model/labels.ts';
import type { StoredAlert } from '../sql/alert-states.ts';
import { storedAlert } from '../sql/alert-states.ts';
import { type Alert, type AlertMap, labelsKey } from './alert-state.ts';
import { renderAnnotations } from './evaluator.ts';
import type { AlertRule } from './rule-group.ts';

export interface RuleState {
  readonly rule: AlertRule;
  readonly alerts: AlertMap;
  health: 'unknown' | 'ok' | 'err';
  lastError: string | undefined;
  /** Milliseconds since 1970; undefined before the first evaluation. */
  evaluatedAtMs: number | undefined;
  evaluationMs: number;
  /** What the store has of each alert, as rowSignature. */
  readonly stored: Map<string, StoredMark>;
}

interface StoredMark {
  readonly signature: string;
  readonly writtenAtMs: number;
  readonly alert: StoredAlert;
}

/** A firing alert is written again so often: the time of its last row is when it was last known to fire. */
const stateRefreshMs = 60_000;
/** Older states are not taken up: Prometheus's tolerance for an outage. */
export const outageToleranceMs = 3_600_000;

export function newRuleState(rule: AlertRule): RuleState {
  return {
    rule,
    alerts: new Map(),
    health: 'unknown',
    lastError: undefined,
    evaluatedAtMs: undefined,
    evaluationMs: 0,
    stored: new Map(),
  };
}

/** What makes a rule the same after its group was edited, as in Prometheus: its name and its labels. */
export function ruleIdentity(rule: AlertRule): string {
  return JSON.stringify([rule.name, rule.labels.map(({ name, template }) => [name, template.source])]);
}

/** Returns the rows that the store needs to be up to date at `timeMs`. */
export function changedRows(state: RuleState, timeMs: number): StoredAlert[] {
  const rows: StoredAlert[] = [];
  for (const [key, alert] of state.alerts) {
    const mark = state.stored.get(key);
    const row = storedAlert(state.rule.name, alert, timeMs);
    // How long a pending alert was pending decides when it fires after a restart: always exact.
    const isFresh =
      alert.status === 'inactive' ||
      (alert.status === 'firing' && mark !== undefined && timeMs - mark.writtenAtMs < stateRefreshMs);
    if (mark === undefined || mark.signature !== rowSignature(row) || !isFresh) rows.push(row);
  }
  for (const [key, mark] of state.stored) {
    if (state.alerts.has(key) || mark.alert.state === 'inactive') continue;
    rows.push({ ...mark.alert, state: 'inactive', resolvedAtMs: timeMs, updatedMs: timeMs });
  }
  return rows;
}

/** Remembers that the store has these rows. */
export function markStored(state: RuleState, rows: readonly StoredAlert[], timeMs: number): void {
  for (const row of rows) {
    const key = labelsKey(row.labels);
    state.stored.set(key, { signature: rowSignature(row), writtenAtMs: timeMs, alert: row });
  }
  for (const [key, mark] of state.stored) {
    if (mark.alert.state === 'inactive' && !state.alerts.has(key)) state.stored.delete(key);
  }
}

function rowSignature(row: StoredAlert): string {
  return [row.state, row.activeAtMs, row.firedAtMs, row.resolvedAtMs, row.sentAtMs].join();
}

/**
 * Takes stored alerts up at `nowMs`. Time that no process was there does not count as pending: `for` goes on where it
 * stopped. A firing alert goes on firing.
 */
export function restoreAlerts(
  states: readonly RuleState[],
  rows: readonly StoredAlert[],
  context: { nowMs: number; externalLabels: Labels; externalUrl: string },
): void {
  for (const row of rows) {
    const state = states.find((candidate) => isOfRule(row, candidate.rule));
    if (state === undefined) continue;
    const key = labelsKey(row.labels);
    const alert = restoredAlert(row, context.nowMs);
    alert.annotations = renderAnnotations(state.rule, { ...context, labels: row.labels, value: row.value });
    state.stored.set(key, { signature: rowSignature(row), writtenAtMs: row.updatedMs, alert: row });
    // A pending alert that ended leaves an inactive row, and no alert.
    if (alert.status === 'inactive' && row.firedAtMs === 0) continue;
    state.alerts.set(key, alert);
  }
}

function restoredAlert(row: StoredAlert, nowMs: number): Alert {
  const downMs = row.state === 'pending' ? Math.max(nowMs - row.updatedMs, 0) : 0;
  const keepsFiring = row.state === 'keep_firing';
  return {
    labels: row.labels,
    annotations: [],
    status: keepsFiring ? 'firing' : (row.state as Alert['status']),
    value: row.value,
    activeAtMs: row.activeAtMs + downMs,
    firedAtMs: row.firedAtMs || undefined,
    resolvedAtMs: keepsFiring ? undefined : row.resolvedAtMs || undefined,
    keepFiringSinceMs: keepsFiring ? row.resolvedAtMs : undefined,
    queuedAtMs: row.sentAtMs || undefined,
    sentAtMs: row.sentAtMs || undefined,
    validUntilMs: 0,
  };
}

/** Two rules of a group may share a name: their fixed labels tell their alerts apart. */
function isOfRule(row: StoredAlert, rule: AlertRule): boolean {
  if (row.rule !== rule.name) return false;
  const labels = new Map(row.labels);
  return rule.labels.every(({ name, template }) => {
    const isFixed = template.parts.every((part) => typeof part === 'string');
    return !isFixed || (labels.get(name) ?? '') === template.parts.join('');
  });
}
