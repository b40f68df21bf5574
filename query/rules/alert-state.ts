/**
 * One alert through its life, as Prometheus has it. Pure: time comes in.
 *
 *   no alert --result--> pending --`for` is over--> firing --no result--> (keep_firing_for) --> inactive --15 min--> gone
 *                          `--no result--> gone
 *
 * An inactive alert stays for a while so that its resolution is sent again to receivers that missed it.
 */
import type { Labels } from '#model/labels.ts';

export type AlertStatus = 'pending' | 'firing' | 'inactive';

/** Times are milliseconds since 1970; undefined is "not yet". Changed only by the functions of this file. */
export interface Alert {
  /** With alertname and the rule's labels; what identifies the alert within its rule. */
  readonly labels: Labels;
  annotations: Labels;
  status: AlertStatus;
  value: number;
  activeAtMs: number;
  firedAtMs: number | undefined;
  resolvedAtMs: number | undefined;
  /** Since when the alert fires on although its condition is gone. */
  keepFiringSinceMs: number | undefined;
  /** When it was last handed to the notifier. */
  queuedAtMs: number | undefined;
  /** When all receivers last had it. */
  sentAtMs: number | undefined;
  /** Until when receivers may believe that it fires, if they hear nothing more. */
  validUntilMs: number;
}

/** What one evaluation found for one label set. */
export interface AlertObservation {
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly value: number;
}

/** Alerts of one rule, by labelsKey. */
export type AlertMap = Map<string, Alert>;

export interface AlertTiming {
  readonly forMs: number;
  readonly keepFiringForMs: number;
}

/** Prometheus: long enough for two failed sends at the usual resend delays. */
export const resolvedRetentionMs = 15 * 60_000;

export function labelsKey(labels: Labels): string {
  return JSON.stringify(labels);
}

/** Brings a rule's alerts to `timeMs`. Returns how many are pending or firing. */
export function advanceAlerts(
  alerts: AlertMap,
  observations: ReadonlyMap<string, AlertObservation>,
  timing: AlertTiming,
  timeMs: number,
): number {
  for (const [key, observation] of observations) observe(alerts, key, observation, timeMs);
  let activeCount = 0;
  for (const [key, alert] of alerts) {
    if (observations.has(key)) alert.keepFiringSinceMs = undefined;
    else if (!keepsFiring(alert, timing, timeMs)) {
      release(alerts, key, alert, timeMs);
      continue;
    }
    activeCount++;
    if (alert.status === 'pending' && timeMs - alert.activeAtMs >= timing.forMs) {
      alert.status = 'firing';
      alert.firedAtMs = timeMs;
    }
  }
  return activeCount;
}

function observe(alerts: AlertMap, key: string, observation: AlertObservation, timeMs: number): void {
  const known = alerts.get(key);
  if (known !== undefined && known.status !== 'inactive') {
    known.value = observation.value;
    known.annotations = observation.annotations;
    return;
  }
  alerts.set(key, {
    ...observation,
    status: 'pending',
    activeAtMs: timeMs,
    firedAtMs: undefined,
    resolvedAtMs: undefined,
    keepFiringSinceMs: undefined,
    queuedAtMs: undefined,
    sentAtMs: undefined,
    validUntilMs: 0,
  });
}

function keepsFiring(alert: Alert, timing: AlertTiming, timeMs: number): boolean {
  if (alert.status !== 'firing' || timing.keepFiringForMs === 0) return false;
  alert.keepFiringSinceMs ??= timeMs;
  return timeMs - alert.keepFiringSinceMs < timing.keepFiringForMs;
}

function release(alerts: AlertMap, key: string, alert: Alert, timeMs: number): void {
  const isForgotten = alert.resolvedAtMs !== undefined && timeMs - alert.resolvedAtMs > resolvedRetentionMs;
  if (alert.status === 'pending' || isForgotten) alerts.delete(key);
  if (alert.status !== 'inactive') {
    alert.status = 'inactive';
    alert.resolvedAtMs = timeMs;
  }
}

/** Ends every alert of a rule that is gone. Returns those that had fired: their receivers must hear of it. */
export function resolveAll(alerts: AlertMap, timeMs: number): Alert[] {
  const ended: Alert[] = [];
  for (const [key, alert] of alerts) {
    const wasFiring = alert.status === 'firing';
    release(alerts, key, alert, timeMs);
    if (wasFiring) ended.push(alert);
  }
  return ended;
}

/**
 * Returns the alerts that receivers must hear of now, and marks them as queued. An alert is sent when it starts to
 * fire, again every `resendDelayMs`, and when it is resolved.
 */
export function takeDue(
  alerts: Iterable<Alert>,
  options: { timeMs: number; resendDelayMs: number; intervalMs: number },
): Alert[] {
  const due: Alert[] = [];
  for (const alert of alerts) {
    if (!needsSending(alert, options.timeMs, options.resendDelayMs)) continue;
    alert.queuedAtMs = options.timeMs;
    // Prometheus: four rounds, so that two evaluations or sends may fail.
    alert.validUntilMs = options.timeMs + 4 * Math.max(options.resendDelayMs, options.intervalMs);
    due.push(alert);
  }
  return due;
}

function needsSending(alert: Alert, timeMs: number, resendDelayMs: number): boolean {
  if (alert.status === 'pending') return false;
  const queuedAtMs = alert.queuedAtMs ?? -Infinity;
  if (alert.resolvedAtMs !== undefined && alert.resolvedAtMs > queuedAtMs) return true;
  return queuedAtMs + resendDelayMs < timeMs;
}

/** The state that Prometheus shows for a rule: the worst of its alerts. */
export function ruleStatus(alerts: Iterable<Alert>): AlertStatus {
  let worst: AlertStatus = 'inactive';
  for (const { status } of alerts) {
    if (status === 'firing') return 'firing';
    if (status === 'pending') worst = 'pending';
  }
  return worst;
}
