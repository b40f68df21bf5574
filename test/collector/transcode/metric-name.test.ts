/** Goal: OTLP names become the names that Prometheus's own OTLP receiver gives. Method: tables. */
import { expect, test } from 'vitest';
import {
  boundText,
  type MetricKind,
  prometheusLabelName,
  prometheusMetricName,
  prometheusUnit,
} from '#collector/transcode/metric-name.ts';

test.each<[name: string, unit: string, kind: MetricKind, expected: string]>([
  ['simple_metric', '', 'gauge', 'simple_metric'],
  ['http.server.duration', 'ms', 'histogram', 'http_server_duration_milliseconds'],
  ['requests', '', 'counter', 'requests_total'],
  ['requests_total', '', 'counter', 'requests_total'],
  ['total.requests', '', 'counter', 'requests_total'],
  ['items', '1', 'counter', 'items_total'],
  ['cpu.usage', '1', 'gauge', 'cpu_usage_ratio'],
  ['cpu_usage_ratio', '1', 'gauge', 'cpu_usage_ratio'],
  ['memory.usage', 'By', 'gauge', 'memory_usage_bytes'],
  ['response_time_seconds', 's', 'gauge', 'response_time_seconds'],
  ['cpu_seconds_total', 's', 'counter', 'cpu_seconds_total'],
  ['throughput', 'By/s', 'gauge', 'throughput_bytes_per_second'],
  ['requests', '1/s', 'gauge', 'requests_per_second'],
  ['custom_metric', '{custom}', 'gauge', 'custom_metric'],
  ['custom_metric', 'By/{custom}', 'gauge', 'custom_metric_bytes'],
  ['custom_metric', 'unit@with#special/chars', 'gauge', 'custom_metric_unit_with_special_per_chars'],
  ['a__b..c', '', 'updown', 'a_b_c'],
  ['9lives', '', 'gauge', '_9lives'],
  ['rule:name', '', 'gauge', 'rule:name'],
  ['größe', '', 'gauge', 'gr_e'],
  ['@#$%', 's', 'gauge', ''],
  ['', '', 'gauge', ''],
])('%s in %s, a %s, is %s', (name, unit, kind, expected) => {
  expect(prometheusMetricName(name, unit, kind)).toBe(expected);
});

test.each([
  ['http.method', 'http_method'],
  ['already_fine', 'already_fine'],
  ['1st', 'key_1st'],
  ['_private', 'key_private'],
  ['__reserved', '__reserved'],
  ['a..b', 'a__b'],
  ['größe', 'gr__e'],
])('the attribute %s is the label %s', (key, expected) => {
  expect(prometheusLabelName(key)).toBe(expected);
});

test.each([
  ['By/s', 'bytes_per_second'],
  ['1', ''],
  ['%', 'percent'],
  ['{request}', ''],
])('the unit %s is %s', (unit, expected) => {
  expect(prometheusUnit(unit)).toBe(expected);
});

test.each([
  [0, '0'],
  [1, '1'],
  [0.005, '0.005'],
  [1e-7, '0.0000001'],
  [1.5e-9, '0.0000000015'],
  [-2.5e-8, '-0.000000025'],
  [1e21, '1000000000000000000000'],
  [1.25e22, '12500000000000000000000'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [Number.NaN, 'NaN'],
])('the bound %d is written %s', (bound, expected) => {
  expect(boundText(bound)).toBe(expected);
});
