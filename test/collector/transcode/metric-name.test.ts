/** Goal: OTLP names become the names that Prometheus's own OTLP receiver gives. Method: tables. */
import { expect, test } from 'vitest';
import {
  boundText,
  type MetricKind,
  prometheusMetricName,
  prometheusUnit,
} from '#collector/transcode/metric-name.ts';
import { translationStrategies } from '#collector/transcode/metric-translation.ts';

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
  expect(prometheusMetricName(name, unit, kind, 'UnderscoreEscapingWithSuffixes')).toBe(expected);
});

/** [OTLP name, unit, kind, with suffixes, without, unescaped with suffixes]; not translated is the OTLP name itself. */
test.each<[string, string, MetricKind, string, string, string]>([
  [
    'http.server.duration',
    's',
    'histogram',
    'http_server_duration_seconds',
    'http_server_duration',
    'http.server.duration_seconds',
  ],
  ['requests', '', 'counter', 'requests_total', 'requests', 'requests_total'],
  ['requests_total', '', 'counter', 'requests_total', 'requests_total', 'requests_total'],
  ['requests.total', '1', 'counter', 'requests_total', 'requests_total', 'requests_total'],
  ['subtotal', '', 'counter', 'subtotal_total', 'subtotal', 'su_total'],
  ['cpu.usage', '1', 'gauge', 'cpu_usage_ratio', 'cpu_usage', 'cpu.usage_ratio'],
  ['cpu.ratio', '1', 'gauge', 'cpu_ratio', 'cpu_ratio', 'cpu_ratio'],
  ['queue', '1', 'updown', 'queue', 'queue', 'queue'],
  [
    'disk.io',
    'By/s',
    'counter',
    'disk_io_bytes_per_second_total',
    'disk_io',
    'disk.io_bytes_per_second_total',
  ],
  [
    'io_bytes_per_second',
    'By/s',
    'gauge',
    'io_bytes_per_second_per_second',
    'io_bytes_per_second',
    'io_bytes_per_second',
  ],
  ['latency_seconds', 's', 'gauge', 'latency_seconds', 'latency_seconds', 'latency_seconds'],
  ['seconds_of_delay', 's', 'gauge', 'seconds_of_delay', 'seconds_of_delay', 'seconds_of_delay_seconds'],
  ['cpu_seconds_total', 's', 'counter', 'cpu_seconds_total', 'cpu_seconds_total', 'cpu_seconds_total'],
  ['a__b', 'By', 'gauge', 'a_b_bytes', 'a__b', 'a__b_bytes'],
  ['a..b', '', 'gauge', 'a_b', 'a_b', 'a..b'],
  ['_hidden_', '', 'gauge', 'hidden', '_hidden_', '_hidden_'],
  ['9lives', '', 'gauge', '_9lives', '_9lives', '9lives'],
  ['größe', 'm', 'gauge', 'gr_e_meters', 'gr_e', 'größe_meters'],
  ['x', 'foo@', 'gauge', 'x_foo_', 'x', 'x_foo@'],
  ['x', 'foo@/s', 'gauge', 'x_foo_per_second', 'x', 'x_foo@_per_second'],
  ['x', 'By/@', 'gauge', 'x_bytes', 'x', 'x_bytes_per_@'],
  ['x', '{packets}/{s}', 'counter', 'x_total', 'x', 'x_total'],
  ['x', ' By / s ', 'gauge', 'x_bytes_per_second', 'x', 'x_bytes_per_second'],
  ['x', 'By/s/m', 'gauge', 'x_bytes_per_s_m', 'x', 'x_bytes_per_s/m'],
  ['@#$%', '', 'counter', '', '', '@#$%_total'],
  ['日本', '', 'gauge', '', '', '日本'],
  ['_', '', 'gauge', '', '_', '_'],
  ['_@_', '', 'gauge', '', '', '_@_'],
  ['', '', 'counter', '', '', ''],
])('%j in %j, a %s, under each strategy', (name, unit, kind, suffixed, escaped, unescaped) => {
  expect(translationStrategies.map((strategy) => prometheusMetricName(name, unit, kind, strategy))).toEqual([
    suffixed,
    escaped,
    unescaped,
    name,
  ]);
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
