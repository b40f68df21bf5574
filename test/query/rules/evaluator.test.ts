/**
 * Goal: a query's results become alerts with the labels and annotations that Prometheus gives them.
 * Method: one evaluation over results from a table.
 */
import { expect, test } from 'vitest';
import { sortLabels } from '#model/labels.ts';
import type { InstantRequest, InstantSample } from '#query/instant.ts';
import type { AlertMap } from '#query/rules/alert-state.ts';
import { evaluateRule } from '#query/rules/evaluator.ts';
import { parseRuleGroup } from '#query/rules/rule-group.ts';

function sample(value: number, labels: Record<string, string>): InstantSample {
  return { labels: sortLabels(Object.entries(labels)), value };
}

async function evaluate(
  rule: string,
  results: readonly InstantSample[] | Error,
  alerts: AlertMap = new Map(),
  group = '',
): Promise<{ alerts: object[]; requests: InstantRequest[] }> {
  const parsed = parseRuleGroup(`name: g\n${group}\nrules: [{alert: A, expr: q, ${rule}}]`, () => {});
  const requests: InstantRequest[] = [];
  const instantQuery = (request: InstantRequest) => {
    requests.push(request);
    return results instanceof Error ? Promise.reject(results) : Promise.resolve(results);
  };
  await evaluateRule(
    { instantQuery, externalLabels: [['region', 'eu']], externalUrl: 'http://s' },
    {
      tenant: 't',
      group: parsed,
      rule: parsed.rules[0],
      alerts,
      timeMs: 100_000,
      abort: new AbortController().signal,
    },
  );
  return {
    alerts: [...alerts.values()].map(({ labels, annotations, status, value }) => ({
      labels: Object.fromEntries(labels),
      annotations: Object.fromEntries(annotations),
      status,
      value,
    })),
    requests,
  };
}

test('the metric name goes, the rule’s labels go over the result’s, templates see the result’s own', async () => {
  const { alerts } = await evaluate(
    'labels: {pod: "was {{ $labels.pod }}", r: "{{ $externalLabels.region }}", empty: ""}, annotations: {s: "{{ $labels.pod }} {{ $labels.__name__ }} {{ $value }}"}',
    [sample(2, { __name__: 'up', pod: 'a', empty: 'gone' })],
  );
  expect(alerts).toEqual([
    {
      labels: { alertname: 'A', pod: 'was a', r: 'eu' },
      annotations: { s: 'a up 2' },
      status: 'firing',
      value: 2,
    },
  ]);
});

test('the query is asked for the tenant, at the time less the group’s offset', async () => {
  const { requests } = await evaluate('for: 1m', [], new Map(), 'query_offset: 30s');
  expect(requests).toMatchObject([{ tenant: 't', query: 'q', timeMs: 70_000 }]);
});

test('results that are one alert after the rule’s labels are an error', async () => {
  const results = [sample(1, { pod: 'a' }), sample(1, { pod: 'b' })];
  await expect(evaluate('labels: {pod: x}', results)).rejects.toThrow(
    'vector contains metrics with the same labelset after applying alert labels',
  );
});

test('a rule over the group’s limit loses its alerts and says so', async () => {
  const alerts: AlertMap = new Map();
  const results = [sample(1, { pod: 'a' }), sample(1, { pod: 'b' })];
  await expect(evaluate('for: 1m', results, alerts, 'limit: 1')).rejects.toThrow(
    'exceeded limit of 1 with 2 alerts',
  );
  expect(alerts.size).toBe(0);
});

test('a query that fails leaves the alerts as they were', async () => {
  const alerts: AlertMap = new Map();
  await evaluate('for: 0s', [sample(1, { pod: 'a' })], alerts);
  await expect(evaluate('for: 0s', new Error('store is down'), alerts)).rejects.toThrow('store is down');
  expect([...alerts.values()].map(({ status }) => status)).toEqual(['firing']);
});
