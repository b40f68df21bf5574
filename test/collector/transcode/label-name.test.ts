/** Goal: attribute keys become the label names that Prometheus's own OTLP receiver gives. Method: tables. */
import { expect, test } from 'vitest';
import { prometheusLabelName } from '#collector/transcode/label-name.ts';
import { type MetricTranslation, metricTranslationDefault } from '#collector/transcode/metric-translation.ts';

const named = (key: string, changes: Partial<MetricTranslation> = {}): string =>
  prometheusLabelName(key, { ...metricTranslationDefault, ...changes });

test.each([
  ['http.method', 'http_method'],
  ['already_fine', 'already_fine'],
  ['1st', 'key_1st'],
  ['_private', 'key_private'],
  ['.dotted', 'key_dotted'],
  ['__reserved', '__reserved'],
  ['a..b', 'a__b'],
  ['größe', 'gr__e'],
  ['a:b', 'a_b'],
  ['😀x', 'key_x'],
  ['日本', ''],
  ['__', ''],
  ['', ''],
])('%j is the label %j', (key, expected) => {
  expect(named(key)).toBe(expected);
  expect(named(key, { strategy: 'UnderscoreEscapingWithoutSuffixes' })).toBe(expected);
});

test.each([
  ['a..b', 'a_b'],
  ['a__b', 'a_b'],
  ['__name', 'key_name'],
  ['__a..b__', '__a_b__'],
  ['..a', 'key_a'],
])('%j is %j where underscores in a row become one', (key, expected) => {
  expect(named(key, { keepsUnderscores: false })).toBe(expected);
});

test.each([
  ['_private', '_private'],
  ['.dotted', '_dotted'],
  ['1st', 'key_1st'],
])('%j is %j where nothing is put before an underscore', (key, expected) => {
  expect(named(key, { isUnderscorePrefixed: false })).toBe(expected);
});

test.each(['http.method', '1st', '_private', 'größe', 'a b', '日本'])(
  '%j is kept without escaping',
  (key) => {
    expect(named(key, { strategy: 'NoTranslation' })).toBe(key);
    expect(named(key, { strategy: 'NoUTF8EscapingWithSuffixes', keepsUnderscores: false })).toBe(key);
  },
);

test('a key of underscores is no label name, escaped or not', () => {
  expect(named('___', { strategy: 'NoTranslation' })).toBe('');
});
