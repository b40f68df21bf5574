/**
 * Goal: a flood of new series is stopped at the limit, is told which label makes it, and takes nothing from others.
 * Method: label sets by hand, the reasons and messages as text.
 */
import { expect, test } from 'vitest';
import { Hash64 } from '#collector/transcode/byte-hash.ts';
import { LabelSet } from '#collector/transcode/label-set.ts';
import { textBytes } from '#collector/transcode/resource-scope.ts';
import { SeriesGuard, type SeriesLimits } from '#collector/transcode/series-guard.ts';

const hour = 3_600_000;

function createGuard(limits: Partial<SeriesLimits>) {
  const guard = new SeriesGuard({ tenantSeriesMax: 0, metricSeriesMax: 0, ...limits });
  guard.begin(10 * hour);
  const hash = new Hash64();
  /** Announces a series and returns the reason of its refusal, or 'ok'. */
  const announce = (labels: Record<string, string>, tenant = 'a', isKnown = false) => {
    const set = new LabelSet();
    for (const [name, value] of Object.entries(labels)) {
      const [key, text] = [textBytes(name), textBytes(value)];
      set.add(key, 0, key.bytes.length, text, 0, text.bytes.length);
    }
    set.sort();
    set.hash(hash);
    guard.beginRequest(tenant);
    return guard.refusal(set, hash.low, hash.high, isKnown);
  };
  return { guard, announce };
}

const of = (metric: string, user: number) => ({ __name__: metric, job: 'shop', user_id: `u${user}` });

test('new series of a metric over its limit are refused, with the label that has the most values', () => {
  const { announce } = createGuard({ metricSeriesMax: 10 });
  const answers = Array.from({ length: 13 }, (_, user) => announce(of('hits', user))?.reason ?? 'ok');
  expect(answers.filter((answer) => answer === 'ok')).toHaveLength(10);
  expect(announce(of('hits', 99))).toEqual({
    reason: 'metric_series_limit',
    message:
      'the metric hits has 10 active series: new ones are refused (collector.metric_series_max). Its label "user_id" has the most values',
  });
});

test('what was announced stays, and so do other metrics and tenants', () => {
  const { announce } = createGuard({ metricSeriesMax: 3 });
  for (let user = 0; user < 5; user++) announce(of('hits', user));
  expect(announce(of('hits', 0))).toBeUndefined();
  expect(announce(of('other', 0))).toBeUndefined();
  expect(announce(of('hits', 0), 'b')).toBeUndefined();
});

test('a tenant over its limit is told its largest metric', () => {
  const { announce } = createGuard({ tenantSeriesMax: 6 });
  for (let user = 0; user < 2; user++) announce(of('small', user));
  for (let user = 0; user < 4; user++) announce(of('large', user));
  expect(announce(of('small', 9))).toEqual({
    reason: 'tenant_series_limit',
    message:
      'the tenant has 6 active series: new ones are refused (collector.tenant_series_max). Its metric large has the most',
  });
  expect(announce(of('small', 9), 'b')).toBeUndefined();
});

test('a series that the thread knows is never refused, and counts', () => {
  const { announce } = createGuard({ metricSeriesMax: 2 });
  for (let user = 0; user < 4; user++) expect(announce(of('hits', user), 'a', true)).toBeUndefined();
  expect(announce(of('hits', 9))?.reason).toBe('metric_series_limit');
});

test('the next two hours begin with nothing', () => {
  const { guard, announce } = createGuard({ metricSeriesMax: 1 });
  announce(of('hits', 0));
  guard.begin(11 * hour);
  expect(announce(of('hits', 1))?.reason).toBe('metric_series_limit');
  guard.begin(12 * hour);
  expect(announce(of('hits', 1))).toBeUndefined();
});

test('a limit of 0 is none', () => {
  const { announce } = createGuard({});
  for (let user = 0; user < 3000; user++) expect(announce(of('hits', user))).toBeUndefined();
});
