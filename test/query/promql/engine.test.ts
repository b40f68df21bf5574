/**
 * Goal: what scripts cannot say: limits, cancellation, names that go at once, and the order of answers.
 * Method: the engine over a small memory source.
 */
import { describe, expect, test } from 'vitest';
import { createPromqlEngine, type PromqlEngineOptions } from '#query/promql/engine.ts';
import { functionNames } from '#query/promql/function-table.ts';
import { implementedFunctions } from '#query/promql/functions/registry.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { SampleRequest, SeriesSamples } from '#query/promql/source.ts';
import { createMemorySampleSource } from '../../languages/promql/memory-sample-source.ts';
import { shortLabels } from '../../support/short-labels.ts';

const minuteMs = 60_000;

function series(name: string, job: string, values: readonly number[]): SeriesSamples {
  return {
    labels: [
      ['__name__', name],
      ['job', job],
    ],
    timestamps: Float64Array.from(values.keys(), (i) => i * minuteMs),
    values: Float64Array.from(values),
  };
}

const data = [series('a', 'x', [1, 2, 3]), series('b', 'x', [4, 5, 6]), series('a', 'y', [7, 8, 9])];

function engineWith(options: Partial<PromqlEngineOptions> = {}) {
  return createPromqlEngine({
    source: () => createMemorySampleSource(data),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 5 * minuteMs,
    ...options,
  });
}

async function ask(query: string, options: Partial<PromqlEngineOptions> = {}): Promise<string[]> {
  const { result } = await engineWith(options).instant({ tenant: 't', query, timeMs: 2 * minuteMs });
  return result.type === 'vector'
    ? result.samples.map(({ labels, value }) => `${shortLabels(labels)} ${value}`)
    : [];
}

describe('names go where a value is no longer the metric’s', () => {
  test.each([
    { query: 'abs(a)', lines: ['{job="x"} 3', '{job="y"} 9'] },
    { query: 'last_over_time(a[2m])', lines: ['a{job="x"} 3', 'a{job="y"} 9'] },
    { query: 'a > 5', lines: ['a{job="y"} 9'] },
    { query: 'a + 1', lines: ['{job="x"} 4', '{job="y"} 10'] },
    { query: 'sum by (__name__) (a)', lines: ['a 12'] },
  ])('$query', async ({ query, lines }) => {
    expect(await ask(query)).toEqual(lines);
  });

  test('two metrics that become one series are an error', async () => {
    await expect(ask('abs({job="x"})')).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    );
    await expect(ask('sum(rate({job="x"}[5m]))')).rejects.toThrow(
      'vector cannot contain metrics with the same labelset',
    );
  });

  test('or are kept to the end where the engine is told so', async () => {
    expect(
      await ask('label_replace(abs({job="x"}), "job", "$1", "__name__", "(.*)")', {
        delaysNameRemoval: true,
      }),
    ).toEqual(['{job="a"} 3', '{job="b"} 6']);
  });
});

test('topk is ordered by value, sort_desc too', async () => {
  expect(await ask('topk(2, {job=~".+"})')).toEqual(['a{job="y"} 9', 'b{job="x"} 6']);
  expect(await ask('sort({job=~".+"})')).toEqual(['a{job="x"} 3', 'b{job="x"} 6', 'a{job="y"} 9']);
});

describe('every limit is named, with the option that raises it', () => {
  test.each([
    {
      limits: { seriesMax: 2 },
      query: '{job=~".+"}',
      message: 'the query reads more than 2 series (raise it with query.series_max)',
    },
    {
      limits: { samplesMax: 5 },
      query: 'count_over_time(a[5m])',
      message: 'the query reads or computes more than 5 samples (raise it with query.samples_max)',
    },
    { limits: {}, query: 'a[10y:1ms]', message: /a subquery has more than \d+ steps/ },
  ])('$query', async ({ limits, query, message }) => {
    await expect(ask(query, { limits: { ...promqlLimitsDefault, ...limits } })).rejects.toThrow(message);
  });

  test('steps', async () => {
    const range = { tenant: 't', query: 'a', startMs: 0, endMs: 11_000_000, stepMs: 1000 };
    await expect(engineWith().range(range)).rejects.toThrow(
      'the query has more than 11000 steps (raise it with query.steps_max)',
    );
  });
});

test('queries beyond the concurrency wait, and a waiting one can be given up', async () => {
  const started: string[] = [];
  const gate = Promise.withResolvers<void>();
  const engine = engineWith({
    limits: { ...promqlLimitsDefault, concurrency: 1 },
    source: (tenant) => ({
      ...createMemorySampleSource(data),
      async *select() {
        started.push(tenant);
        await gate.promise;
        yield* [];
      },
    }),
  });
  const first = engine.instant({ tenant: 'first', query: 'a', timeMs: 0 });
  const abort = new AbortController();
  const second = engine.instant({ tenant: 'second', query: 'a', timeMs: 0, abort: abort.signal });
  const third = engine.instant({ tenant: 'third', query: 'a', timeMs: 0 });
  abort.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  expect(started).toEqual(['first']);
  gate.resolve();
  await Promise.all([first, third]);
  expect(started).toEqual(['first', 'third']);
});

describe('time that runs out names its limit', () => {
  const hang = {
    ...createMemorySampleSource(data),
    async *select(_request: SampleRequest, abort?: AbortSignal) {
      yield* [];
      await new Promise((_resolve, reject) => abort?.addEventListener('abort', () => reject(abort.reason)));
    },
  };

  test.each([
    {
      name: 'the option',
      limits: { timeoutMs: 20 },
      message:
        'query timed out in expression evaluation: it took longer than 20 ms (raise it with query.timeout_ms)',
    },
    {
      name: 'the parameter',
      limits: {},
      timeoutMs: 20,
      message:
        'query timed out in expression evaluation: it took longer than the 20 ms of its parameter "timeout"',
    },
  ])('$name', async ({ limits, timeoutMs, message }) => {
    const engine = engineWith({ limits: { ...promqlLimitsDefault, ...limits }, source: () => hang });
    await expect(engine.instant({ tenant: 't', query: 'a', timeMs: 0, timeoutMs })).rejects.toThrow(message);
  });

  test('the queue', async () => {
    const limits = { ...promqlLimitsDefault, concurrency: 1 };
    const engine = engineWith({ limits, source: () => hang });
    const abort = new AbortController();
    const first = engine.instant({ tenant: 't', query: 'a', timeMs: 0, abort: abort.signal });
    await expect(engine.instant({ tenant: 't', query: 'a', timeMs: 0, timeoutMs: 20 })).rejects.toThrow(
      'query timed out in query queue: 1 others were running (raise it with query.concurrency) for longer than the 20 ms',
    );
    abort.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
  });
});

test('a lookback of the request replaces the default', async () => {
  const at = { tenant: 't', query: 'count(a)', timeMs: 4 * minuteMs };
  expect((await engineWith().instant(at)).result).toMatchObject({ samples: [{ value: 2 }] });
  expect((await engineWith().instant({ ...at, lookbackMs: minuteMs })).result).toMatchObject({ samples: [] });
});

test('whatever is evaluated is a function of PromQL', () => {
  expect(functionNames()).toEqual(expect.arrayContaining(implementedFunctions()));
});
