/** Goal: rules and signals get LogQL values, or the parser's own error. Method: a source that counts three lines. */
import { expect, test } from 'vitest';
import { ParseError } from '#query/language/parse-error.ts';
import { createLogqlInstantQuery } from '#query/logql/instant.ts';
import type { LogCountRequest, LogSource } from '#query/logql/source.ts';

const asked: { tenant: string; request: LogCountRequest }[] = [];

const source = (tenant: string): LogSource => {
  const unused = () => Promise.reject(new Error('not asked for'));
  return {
    select: unused,
    labelNames: unused,
    labelValues: unused,
    series: unused,
    count: async (request) => {
      asked.push({ tenant, request });
      return [{ labels: [['app', 'a']], cell: 0, value: 3 }];
    },
  };
};

const instant = createLogqlInstantQuery({ source, seriesMax: 10 });

test('a metric query is evaluated once, over its range up to the time', async () => {
  const query = 'sum by (app) (count_over_time({app="a"}[1m]))';
  expect(await instant({ tenant: 't', query, timeMs: 120_000 })).toEqual([
    { labels: [['app', 'a']], value: 3 },
  ]);
  expect(asked).toMatchObject([
    { tenant: 't', request: { startUnixNano: '60000000000', endUnixNano: '120000000000', groupBy: ['app'] } },
  ]);
});

test('a number is one sample without labels', async () => {
  expect(await instant({ tenant: 't', query: '1 + 1', timeMs: 0 })).toEqual([{ labels: [], value: 2 }]);
});

test('a query for lines and a broken query are refused', async () => {
  await expect(instant({ tenant: 't', query: '{app="a"}', timeMs: 0 })).rejects.toThrow(
    'log queries are not supported as an instant query type',
  );
  await expect(instant({ tenant: 't', query: 'sum(', timeMs: 0 })).rejects.toThrow(ParseError);
});
