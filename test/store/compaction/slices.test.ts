/**
 * Goal: slices cover every series exactly once, and none is larger than asked for unless one series is.
 * Method: a table, then a property over random counts that looks each series up in the ranges.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MetricCount, planSlices, type Slice } from '#store/compaction/slices.ts';

function render({
  tenantFirst,
  tenantLast,
  metricFirst,
  metricLast,
  idFirst,
  idLast,
  samples,
}: Slice): string {
  const metrics = metricFirst === undefined ? '*' : `${metricFirst}-${metricLast}`;
  const ids = idFirst === undefined ? '*' : `${BigInt(idFirst) >> 60n}-${BigInt(idLast!) >> 60n}`;
  return `${tenantFirst}-${tenantLast} ${metrics} ${ids} ${samples}`;
}

function counts(text: string): MetricCount[] {
  return text
    .split(' ')
    .map((item) => item.split('/'))
    .map(([tenant, metric, samples]) => ({ tenant: tenant!, metric: metric!, samples: Number(samples) }));
}

test.each([
  { name: 'nothing', text: '', slices: [] },
  { name: 'small tenants share a slice', text: 'a/x/1 a/y/2 b/x/3', slices: ['a-b * * 6'] },
  { name: 'until it is full', text: 'a/x/5 b/x/5 c/x/5', slices: ['a-b * * 10', 'c-c * * 5'] },
  {
    name: 'a large tenant has slices of its own',
    text: 'a/x/1 b/x/6 b/y/3 b/z/4 c/x/1',
    slices: ['a-a * * 1', 'b-b x-y * 9', 'b-b z-z * 4', 'c-c * * 1'],
  },
  {
    name: 'a large metric is divided by ids',
    text: 'a/w/1 a/x/19 a/y/1 a/z/1',
    slices: ['a-a w-w * 1', 'a-a x-x 0-7 10', 'a-a x-x 8-15 10', 'a-a y-z * 2'],
  },
])('$name', ({ text, slices }) => {
  expect(planSlices(text === '' ? [] : counts(text), 10).map(render)).toEqual(slices);
});

test('every series is in one slice', () => {
  const metric = fc.record({
    metric: fc.constantFrom('m', 'n', 'o', 'p'),
    samples: fc.integer({ min: 1, max: 40 }),
  });
  const tenants = fc.uniqueArray(
    fc.record({
      tenant: fc.constantFrom('a', 'b', 'c', 'd'),
      metrics: fc.uniqueArray(metric, { selector: (one) => one.metric }),
    }),
    { selector: (one) => one.tenant },
  );
  const byText = <Item>(items: readonly Item[], keyOf: (item: Item) => string) =>
    items.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  fc.assert(
    fc.property(
      tenants,
      fc.integer({ min: 1, max: 50 }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      (all, max, id) => {
        const list = byText(all, ({ tenant }) => tenant).flatMap(({ tenant, metrics }) =>
          byText(metrics, (one) => one.metric).map((one) => ({ tenant, ...one })),
        );
        const slices = planSlices(list, max);
        for (const { tenant, metric: name } of list) {
          const holding = slices.filter(
            (slice) =>
              slice.tenantFirst <= tenant &&
              tenant <= slice.tenantLast &&
              (slice.metricFirst === undefined || (slice.metricFirst <= name && name <= slice.metricLast!)) &&
              (slice.idFirst === undefined || (BigInt(slice.idFirst) <= id && id <= BigInt(slice.idLast!))),
          );
          expect(holding).toHaveLength(1);
        }
        expect(slices.every(({ samples }) => samples <= max)).toBe(true);
      },
    ),
  );
});
