/** What stands beside an answer: each fact once, and what is counted over its samples. */
import { expect, test } from 'vitest';
import { Annotations } from '#query/promql/annotations.ts';

test('a fact is told once, with the place where it came up last', () => {
  const annotations = new Annotations('rate(a[5m]) + rate(a[5m])');
  annotations.warn('odd', { start: 5 });
  annotations.warn('odd', { start: 19 });
  annotations.inform('odd', { start: 5 });
  expect(annotations.warnings).toEqual(['PromQL warning: odd (1:20)']);
  expect(annotations.infos).toEqual(['PromQL info: odd (1:6)']);
});

test('lifted buckets are summed up over all samples', () => {
  const annotations = new Annotations('histogram_quantile(0.5, a)');
  const place = { start: 24 };
  annotations.informLifted('fixed', place, Date.UTC(2024, 0, 2), {
    boundMin: 5,
    boundMax: 1_000_000,
    liftMax: 5.55,
  });
  annotations.informLifted('fixed', { start: 0 }, Date.UTC(2024, 0, 1, 0, 0, 0, 999), {
    boundMin: 2.5,
    boundMax: 75,
    liftMax: 123,
  });
  annotations.informLifted('fixed elsewhere', place, 0, { boundMin: 1, boundMax: 1, liftMax: 10 });
  expect(annotations.infos).toEqual([
    'PromQL info: fixed, from buckets 2.5 to 1e+06, with a max diff of 1.2e+02, over 2 samples from 2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z (1:25)',
    'PromQL info: fixed elsewhere, from buckets 1 to 1, with a max diff of 10, over 1 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:00:00Z (1:25)',
  ]);
});
