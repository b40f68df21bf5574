/**
 * Goal: an alert lives as Prometheus's alerts live.
 * Method: scenarios after Prometheus's alert generator compliance rules: one character per evaluation, a minute apart
 * ('x' = the query has the result, '.' = it has not), and the state after each: - none, p pending, F firing, K firing on
 * by keep_firing_for, r inactive (resolved). A random walk checks what must hold always.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type AlertMap,
  type AlertObservation,
  type AlertTiming,
  advanceAlerts,
  resolveAll,
  ruleStatus,
  takeDue,
} from '#query/rules/alert-state.ts';

const minuteMs = 60_000;
const observation = { labels: [['alertname', 'A']] as const, annotations: [], value: 1 };

function step(alerts: AlertMap, isThere: boolean, timing: AlertTiming, timeMs: number): number {
  return advanceAlerts(alerts, new Map(isThere ? [['a', observation]] : []), timing, timeMs);
}

function show(alerts: AlertMap): string {
  const alert = alerts.get('a');
  if (alert === undefined) return '-';
  if (alert.status === 'firing') return alert.keepFiringSinceMs === undefined ? 'F' : 'K';
  return alert.status === 'pending' ? 'p' : 'r';
}

function walk(results: string, timing: AlertTiming): string {
  const alerts: AlertMap = new Map();
  return [...results]
    .map((result, index) => {
      step(alerts, result === 'x', timing, index * minuteMs);
      return show(alerts);
    })
    .join('');
}

test.each([
  { name: 'pending, firing, resolved', for: 3, keep: 0, results: 'xxxxx..', states: 'pppFFrr' },
  { name: 'a zero "for" fires at once', for: 0, keep: 0, results: 'xx.x', states: 'FFrF' },
  { name: 'pending that ends never fired and is gone', for: 3, keep: 0, results: 'xx.x', states: 'pp-p' },
  { name: 'a gap starts "for" anew', for: 2, keep: 0, results: 'xx.xxx', states: 'pp-ppF' },
  {
    name: 'a resolved alert that comes back is pending again',
    for: 1,
    keep: 0,
    results: 'xx.xx',
    states: 'pFrpF',
  },
  {
    name: 'resolved is kept for 15 minutes',
    for: 0,
    keep: 0,
    results: `x${'.'.repeat(18)}`,
    states: `F${'r'.repeat(16)}--`,
  },
  { name: 'keep_firing_for bridges a gap', for: 0, keep: 3, results: 'x..x..', states: 'FKKFKK' },
  { name: 'keep_firing_for ends', for: 0, keep: 3, results: 'x.....', states: 'FKKKrr' },
  { name: 'keep_firing_for does not keep a pending alert', for: 3, keep: 3, results: 'x..', states: 'p--' },
  { name: 'nothing there, nothing happens', for: 3, keep: 3, results: '...', states: '---' },
])('$name', ({ for: forMinutes, keep, results, states }) => {
  expect(walk(results, { forMs: forMinutes * minuteMs, keepFiringForMs: keep * minuteMs })).toBe(states);
});

test('times of an alert: active from its first result, fired when "for" was over, resolved when it vanished', () => {
  const alerts: AlertMap = new Map();
  const timing = { forMs: 2 * minuteMs, keepFiringForMs: 0 };
  for (let index = 0; index < 4; index++) step(alerts, index < 3, timing, index * minuteMs);
  expect(alerts.get('a')).toMatchObject({
    activeAtMs: 0,
    firedAtMs: 2 * minuteMs,
    resolvedAtMs: 3 * minuteMs,
  });
});

test('value and annotations follow the newest result', () => {
  const alerts: AlertMap = new Map();
  const timing = { forMs: 0, keepFiringForMs: 0 };
  step(alerts, true, timing, 0);
  advanceAlerts(
    alerts,
    new Map([['a', { ...observation, value: 7, annotations: [['s', 'new']] }]]),
    timing,
    1,
  );
  expect(alerts.get('a')).toMatchObject({ value: 7, annotations: [['s', 'new']], activeAtMs: 0 });
});

test('the count of active alerts has pending, firing and kept ones, not resolved ones', () => {
  const alerts: AlertMap = new Map();
  const timing = { forMs: 0, keepFiringForMs: minuteMs };
  expect([0, 1, 2].map((index) => step(alerts, index === 0, timing, index * minuteMs))).toEqual([1, 1, 0]);
});

/** The evaluations at which an alert is sent, each with its status. */
function sends(results: string, intervalMs: number, resendDelayMs = minuteMs): string[] {
  const alerts: AlertMap = new Map();
  const sent: string[] = [];
  [...results].forEach((result, index) => {
    const timeMs = index * intervalMs;
    step(alerts, result === 'x', { forMs: intervalMs, keepFiringForMs: 0 }, timeMs);
    for (const alert of takeDue(alerts.values(), { timeMs, resendDelayMs, intervalMs })) {
      sent.push(`${index} ${alert.status} until ${(alert.validUntilMs - timeMs) / 1000}`);
    }
  });
  return sent;
}

test('an alert is sent when it fires, again after the resend delay, and when it is resolved', () => {
  expect(sends('.xxxxxx.', 30_000)).toEqual([
    '2 firing until 240',
    '5 firing until 240',
    '7 inactive until 240',
  ]);
});

test('receivers believe an alert for four intervals where these are longer than the resend delay', () => {
  expect(sends('xx', 600_000)).toEqual(['1 firing until 2400']);
});

test('a pending alert is never sent', () => {
  expect(sends('x.x.', 30_000)).toEqual([]);
});

test('ending a rule resolves what fired and forgets what was pending', () => {
  const alerts: AlertMap = new Map();
  const both = new Map<string, AlertObservation>([
    ['a', observation],
    ['b', { ...observation, labels: [['alertname', 'B']] }],
  ]);
  advanceAlerts(alerts, new Map([['a', observation]]), { forMs: 0, keepFiringForMs: 0 }, 0);
  advanceAlerts(alerts, both, { forMs: minuteMs, keepFiringForMs: 0 }, 1);
  expect(ruleStatus(alerts.values())).toBe('firing');
  const ended = resolveAll(alerts, 2);
  expect(ended.map(({ labels, status, resolvedAtMs }) => ({ labels, status, resolvedAtMs }))).toEqual([
    { labels: observation.labels, status: 'inactive', resolvedAtMs: 2 },
  ]);
  expect([...alerts.keys()]).toEqual(['a']);
});

test('whatever results come: firing only after "for" without a gap, and resolved only after firing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 40 }),
      fc.nat(5),
      fc.nat(5),
      (results, forMinutes, keep) => {
        const timing = { forMs: forMinutes * minuteMs, keepFiringForMs: keep * minuteMs };
        const states = walk(results.map((isThere) => (isThere ? 'x' : '.')).join(''), timing);
        for (const [index, state] of [...states].entries()) {
          const before = states[index - 1] ?? '-';
          const isNewlyFiring = state === 'F' && !'FK'.includes(before);
          const run = results.slice(Math.max(index - forMinutes, 0), index + 1);
          if (isNewlyFiring && (run.length <= forMinutes || run.includes(false))) return false;
          if (state === 'r' && !'FKr'.includes(before)) return false;
          if (state === 'K' && keep === 0) return false;
        }
        return true;
      },
    ),
  );
});
