/** Queries over several lines. */
import { expect, test } from 'vitest';
import { parsePromql } from '#query/promql/parser.ts';
import { prettifyPromql } from '#query/promql/prettify.ts';

const pretty = (query: string) => prettifyPromql(parsePromql(query)).split('\n');

test('what fits a line stays on it', () => {
  expect(pretty('sum  by(job)( rate(x{b="c",a="d"} [5m]) ) ')).toEqual([
    'sum by (job) (rate(x{a="d",b="c"}[5m]))',
  ]);
});

test('longer ones are split from the outside, and only as far as they must be', () => {
  const selector = 'requests_of_a_very_busy_service_total{cluster="alpha",namespace="beta",pod=~"gamma-.+"}';
  const query = `topk(3, sum by (job) (rate(${selector}[5m]))) / ignoring (job) -(max_over_time(${selector}[1h]) > bool 1)`;
  expect(pretty(query)).toEqual([
    '  topk(',
    '    3,',
    '    sum by (job) (',
    `      rate(${selector}[5m])`,
    '    )',
    '  )',
    '/ ignoring (job)',
    '  -(',
    '      max_over_time(',
    `        ${selector}[1h]`,
    '      )',
    '    > bool',
    '      1',
    '  )',
  ]);
});
