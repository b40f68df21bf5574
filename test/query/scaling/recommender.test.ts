/**
 * Goal: replicas follow the algorithm of the Kubernetes horizontal pod autoscaler, and never leave their bounds.
 * Method: tables worked out from the Kubernetes documentation ("Algorithm details", "Configurable scaling behavior"),
 * walks over time for windows and policies, and properties over random loads.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Recommendation, recommendReplicas } from '#query/scaling/recommender.ts';
import { ReplicaHistory } from '#query/scaling/replica-history.ts';
import { parseSignalDefinition } from '#query/scaling/signal-definition.ts';

const startMs = 1_700_000_000_000;

function define(input: object) {
  const base = {
    query: 'q',
    target: { type: 'average_value', value: 100 },
    min_replicas: 1,
    max_replicas: 1000,
  };
  return parseSignalDefinition('s', { ...base, ...input }, () => {});
}

/** A workload that does what is recommended, asked once per step. */
class Workload {
  readonly history = new ReplicaHistory();
  readonly definition: ReturnType<typeof define>;
  replicas: number;
  #nowMs = startMs;

  constructor(input: object, replicas: number) {
    this.definition = define(input);
    this.replicas = replicas;
  }

  step(value: number, seconds = 15): Recommendation {
    this.#nowMs += seconds * 1000;
    this.history.observe(this.replicas, this.#nowMs);
    const recommendation = recommendReplicas(
      {
        definition: this.definition,
        value,
        isActive: value > this.definition.activation_threshold,
        currentReplicas: this.replicas,
        evaluatedAtMs: this.#nowMs,
        nowMs: this.#nowMs,
      },
      this.history,
    );
    this.replicas = recommendation.desiredReplicas;
    return recommendation;
  }
}

/** No windows and no policies in the way. */
const free = {
  behavior: {
    scale_up: { policies: [{ type: 'pods', value: 100_000, period_seconds: 1 }] },
    scale_down: { stabilization_window_seconds: 0 },
  },
};

test.each([
  // desired = ceil(current * value / target)
  { target: 'value', value: 200, current: 4, desired: 8 },
  { target: 'value', value: 50, current: 4, desired: 2 },
  { target: 'value', value: 130, current: 3, desired: 4 },
  { target: 'utilization', value: 150, current: 10, desired: 15 },
  // within 10 % of the target nothing changes
  { target: 'value', value: 110, current: 10, desired: 10 },
  { target: 'value', value: 90, current: 10, desired: 10 },
  { target: 'value', value: 111, current: 10, desired: 12 },
  { target: 'value', value: 89, current: 10, desired: 9 },
  // desired = ceil(value / target)
  { target: 'average_value', value: 900, current: 5, desired: 9 },
  { target: 'average_value', value: 901, current: 5, desired: 10 },
  { target: 'average_value', value: 540, current: 5, desired: 5 },
  { target: 'average_value', value: 0, current: 5, desired: 1 },
  { target: 'average_value', value: -20, current: 5, desired: 1 },
])('$target target 100, value $value, $current replicas: $desired', ({ target, value, current, desired }) => {
  const workload = new Workload({ ...free, target: { type: target, value: 100 } }, current);
  expect(workload.step(value).desiredReplicas).toBe(desired);
});

test('the bounds hold, and replicas outside of them are brought back at once', () => {
  const bounds = { ...free, min_replicas: 2, max_replicas: 6 };
  const at = (replicas: number, value: number) => new Workload(bounds, replicas).step(value);
  expect(at(4, 5000)).toEqual({
    desiredReplicas: 6,
    explanation: 'value 5000 against average_value target 100 asks for 50; max_replicas is 6',
  });
  expect(at(4, 0)).toEqual({
    desiredReplicas: 2,
    explanation: 'value 0 against average_value target 100 asks for 0; min_replicas is 2',
  });
  expect(at(9, 500)).toEqual({ desiredReplicas: 6, explanation: '9 replicas are above max_replicas 6' });
  expect(at(0, 500)).toEqual({ desiredReplicas: 2, explanation: '0 replicas are below min_replicas 2' });
});

test('a workload may sleep: inactive is none, active is at least one', () => {
  const sleeper = {
    ...free,
    min_replicas: 0,
    activation_threshold: 10,
    target: { type: 'value', value: 100 },
  };
  expect(new Workload(sleeper, 3).step(10).desiredReplicas).toBe(0);
  expect(new Workload(sleeper, 0).step(10).desiredReplicas).toBe(0);
  expect(new Workload(sleeper, 0).step(11).desiredReplicas).toBe(1);
  expect(new Workload(sleeper, 0).step(250).desiredReplicas).toBe(3);
  expect(new Workload(sleeper, 2).step(11).desiredReplicas).toBe(1);
});

test('with one pod and only percentages, a workload can still leave zero', () => {
  const policies = [{ type: 'percent', value: 50, period_seconds: 15 }];
  const workload = new Workload({ min_replicas: 0, behavior: { scale_up: { policies } } }, 0);
  expect(workload.step(500).desiredReplicas).toBe(1);
});

test('by default up goes by 4 pods or 100 % in 15 seconds, whichever is more', () => {
  const workload = new Workload({}, 1);
  expect([1, 2, 3, 4, 5].map(() => workload.step(10_000).desiredReplicas)).toEqual([5, 10, 20, 40, 80]);
});

test('by default down waits five minutes for the highest recommendation of that time', () => {
  const workload = new Workload({}, 10);
  workload.step(1000);
  const steps = Array.from({ length: 20 }, () => workload.step(200).desiredReplicas);
  expect(steps.indexOf(2)).toBe(19);
  expect(new Set(steps.slice(0, 19))).toEqual(new Set([10]));
  const waiting = new Workload({}, 10);
  waiting.step(1000);
  expect(waiting.step(200).explanation).toBe(
    'value 200 against average_value target 100 asks for 2; scale_down is stabilised at 10',
  );
});

test('a window for up takes the lowest recommendation of its time', () => {
  const behavior = { scale_up: { stabilization_window_seconds: 60 } };
  const workload = new Workload({ behavior }, 2);
  workload.step(200);
  expect([1, 2, 3, 4].map(() => workload.step(400).desiredReplicas)).toEqual([2, 2, 2, 4]);
});

test('policies count what changed within their period', () => {
  const behavior = {
    scale_up: { policies: [{ type: 'pods', value: 3, period_seconds: 60 }] },
    scale_down: {
      stabilization_window_seconds: 0,
      policies: [{ type: 'pods', value: 2, period_seconds: 30 }],
    },
  };
  const up = new Workload({ behavior }, 4);
  expect([1, 2, 3, 4, 5, 6].map(() => up.step(10_000).desiredReplicas)).toEqual([7, 7, 7, 7, 10, 10]);
  const down = new Workload({ behavior }, 10);
  expect([1, 2, 3, 4].map(() => down.step(100).desiredReplicas)).toEqual([8, 8, 6, 6]);
});

test.each([
  ['max', 12],
  ['min', 11],
  ['disabled', 10],
])('select_policy %s lets 10 replicas go up to %s', (select, desired) => {
  const policies = [
    { type: 'pods', value: 1, period_seconds: 15 },
    { type: 'percent', value: 20, period_seconds: 15 },
  ];
  const workload = new Workload({ behavior: { scale_up: { select_policy: select, policies } } }, 10);
  expect(workload.step(10_000).desiredReplicas).toBe(desired);
});

test.each([
  ['max', 6],
  ['min', 9],
  ['disabled', 10],
])('select_policy %s lets 10 replicas go down to %s', (select, desired) => {
  const policies = [
    { type: 'pods', value: 1, period_seconds: 15 },
    { type: 'percent', value: 40, period_seconds: 15 },
  ];
  const scaleDown = { stabilization_window_seconds: 0, select_policy: select, policies };
  const workload = new Workload({ behavior: { scale_down: scaleDown } }, 10);
  expect(workload.step(100).desiredReplicas).toBe(desired);
});

test('asking twice about one evaluation does not count as two recommendations', () => {
  const history = new ReplicaHistory();
  history.recommend(5, 1000);
  history.recommend(7, 1000);
  expect(history.recommendationsSince(0)).toEqual([7]);
});

const loads = fc.array(fc.double({ min: -10, max: 1e6, noNaN: true }), { maxLength: 30 });

test('whatever the load: never outside the bounds, never faster than the policies', () => {
  fc.assert(
    fc.property(loads, fc.nat(20), fc.integer({ min: 1, max: 50 }), (values, min, span) => {
      const max = min + span;
      const workload = new Workload({ min_replicas: min, max_replicas: max }, min);
      for (const value of values) {
        const before = workload.replicas;
        const after = workload.step(value).desiredReplicas;
        if (!Number.isInteger(after) || after < min || after > max) return false;
        if (after > Math.max(before + 4, before * 2)) return false;
      }
      return true;
    }),
  );
});

test('from the same state, more load never asks for fewer replicas', () => {
  const load = fc.double({ min: 0, max: 1e6, noNaN: true });
  const kind = fc.constantFrom('value', 'average_value', 'utilization');
  fc.assert(
    fc.property(load, load, fc.integer({ min: 1, max: 50 }), kind, (one, two, replicas, type) => {
      const at = (value: number) =>
        new Workload({ target: { type, value: 100 } }, replicas).step(value).desiredReplicas;
      return at(Math.min(one, two)) <= at(Math.max(one, two));
    }),
  );
});
