/**
 * Goal: a window (t - range, t] holds exactly the lines that are in it, whatever step and range are.
 * Method: a table over a source in memory; then random lines, steps and ranges against the definition itself.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Labels, labelValue, sortLabels } from '#model/labels.ts';
import { evaluateMetric, type MetricResult } from '#query/logql/engine.ts';
import { parseLogql } from '#query/logql/parser.ts';
import type { LogCount, LogSource } from '#query/logql/source.ts';

const second = 1_000_000_000n;

interface Line {
  readonly nano: bigint;
  readonly labels: Labels;
  readonly text: string;
}

/** Counts as the contract of LogSource.count says, and knows nothing of selectors. */
function sourceOf(lines: readonly Line[]): LogSource {
  const unused = () => Promise.reject(new Error('not asked for'));
  return {
    select: unused,
    labelNames: unused,
    labelValues: unused,
    series: unused,
    count: async (request) => {
      const [start, end, width] = [
        BigInt(request.startUnixNano),
        BigInt(request.endUnixNano),
        BigInt(request.cellNano),
      ];
      const cells = new Map<string, LogCount>();
      for (const { nano, labels, text } of lines) {
        if (nano <= start || nano > end) continue;
        const { groupBy } = request;
        const group = groupBy === undefined ? labels : labels.filter(([name]) => groupBy.includes(name));
        const cell = Number((nano - start - 1n) / width);
        const key = JSON.stringify([group, cell]);
        const value = (cells.get(key)?.value ?? 0) + (request.measure === 'lines' ? 1 : text.length);
        cells.set(key, { labels: group, cell, value });
      }
      return [...cells.values()];
    },
  };
}

const lines: Line[] = [
  {
    nano: 10n * second,
    labels: sortLabels([
      ['app', 'a'],
      ['level', 'info'],
    ]),
    text: 'one',
  },
  {
    nano: 20n * second,
    labels: sortLabels([
      ['app', 'a'],
      ['level', 'error'],
    ]),
    text: 'fifteen',
  },
  {
    nano: 20n * second + 1n,
    labels: sortLabels([
      ['app', 'b'],
      ['level', 'error'],
    ]),
    text: 'x',
  },
];

async function evaluate(
  query: string,
  options: { from: bigint; step: bigint; count: number },
): Promise<MetricResult> {
  const expr = parseLogql(query);
  if (expr.kind === 'log') throw new Error('a test asks for a metric');
  const times = { startUnixNano: options.from, stepNano: options.step, count: options.count };
  return evaluateMetric({ expr, times, source: sourceOf(lines), seriesMax: 10 });
}

function show(result: MetricResult): unknown {
  if (typeof result === 'number') return result;
  return Object.fromEntries(
    result.map(({ labels, values }) => [
      labels.map(([name, value]) => `${name}=${value}`).join(','),
      values.map((value) => value ?? '-').join(' '),
    ]),
  );
}

test.each([
  ['1 + 2 * 3', 7],
  ['vector(1)+vector(1)', { '': '2 2 2' }],
  ['1 / 0', Number.NaN],
  // At 10, 20, 30 s: the window's start is excluded, its end included.
  ['sum(count_over_time({app=~".+"}[10s]))', { '': '1 1 1' }],
  ['sum by (app) (count_over_time({app=~".+"}[10s]))', { 'app=a': '1 1 -', 'app=b': '- - 1' }],
  ['sum by (level) (count_over_time({app=~".+"}[1m]))', { 'level=error': '- 1 2', 'level=info': '1 1 1' }],
  ['sum without (level) (count_over_time({app=~".+"}[1m]))', { 'app=a': '1 2 2', 'app=b': '- - 1' }],
  ['sum(rate({app=~".+"}[10s]))', { '': '0.1 0.1 0.1' }],
  ['sum(bytes_over_time({app=~".+"}[1m]))', { '': '3 10 11' }],
  ['max(count_over_time({app=~".+"}[1m])) * 10', { '': '10 10 10' }],
  ['count(count_over_time({app=~".+"}[1m]))', { '': '1 2 3' }],
  ['sum(count_over_time({app=~".+"}[10s] offset 10s))', { '': '- 1 1' }],
  [
    'sum by (app) (count_over_time({app=~".+"}[1m])) / sum by (app) (count_over_time({app=~".+"}[10s]))',
    { 'app=a': '1 2 -', 'app=b': '- - 1' },
  ],
])('%s', async (query, expected) => {
  expect(show(await evaluate(query, { from: 10n * second, step: 10n * second, count: 3 }))).toEqual(expected);
});

test('more series than the limit are an error that names it', async () => {
  const expr = parseLogql('count_over_time({app=~".+"}[1m])');
  if (expr.kind === 'log') throw new Error('a test asks for a metric');
  const times = { startUnixNano: 30n * second, stepNano: second, count: 1 };
  await expect(evaluateMetric({ expr, times, source: sourceOf(lines), seriesMax: 1 })).rejects.toThrow(
    'the query selects more than 1 series (raise it with query.series_max)',
  );
});

test('each window holds what its definition says', async () => {
  const nano = fc.bigInt({ min: 0n, max: 100n });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ nano, app: fc.constantFrom('a', 'b') }), { maxLength: 30 }),
      fc.record({
        from: nano,
        step: fc.bigInt({ min: 1n, max: 40n }),
        count: fc.integer({ min: 1, max: 8 }),
      }),
      fc.integer({ min: 1, max: 50 }),
      async (records, { from, step, count }, range) => {
        const random = records.map((record) => ({
          nano: record.nano,
          labels: [['app', record.app]] as Labels,
          text: '',
        }));
        const expr = parseLogql(`count_over_time({app=~".+"}[${range}ns])`);
        if (expr.kind === 'log') throw new Error('a test asks for a metric');
        const times = { startUnixNano: from, stepNano: step, count };
        const result = await evaluateMetric({ expr, times, source: sourceOf(random), seriesMax: 10 });
        for (const app of ['a', 'b']) {
          const series =
            typeof result === 'number'
              ? undefined
              : result.find((one) => labelValue(one.labels, 'app') === app);
          for (let i = 0; i < count; i++) {
            const at = from + BigInt(i) * step;
            const inWindow = records.filter(
              (r) => r.app === app && r.nano > at - BigInt(range) && r.nano <= at,
            );
            expect(series?.values[i] ?? 0).toBe(inWindow.length);
          }
        }
      },
    ),
  );
});
