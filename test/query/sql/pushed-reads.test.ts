/**
 * Goal: what the store computes is asked for only where it is right, may be cancelled, stays within limits, and is the same
 * while a compaction moves the samples.
 * Method: the embedded engine with real tables; counters of three days, compacted but for the newest hours.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { createPromqlEngine, type PromqlEngineOptions } from '#query/promql/engine.ts';
import type { ExplainedNode } from '#query/promql/plan/explain.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { QueryOutcome } from '#query/promql/query-result.ts';
import { createPushDownProbe, type PushDownProbe } from '#query/sql/pushed-reads.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import { type Store, StoreError } from '#store/store.ts';
import { storeOver } from '../../support/store-over.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const hourMs = 3_600_000;
const dayMs = 1_794_268_800_000;
const spanHours = 24;
const seriesCount = 40;
const tenant = 'default';
const nothing = new AbortController().signal;

let opened: TestStore;
let store: Store;
let probe: PushDownProbe;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  probe = createPushDownProbe(store, { warn: () => {} });
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
    SELECT '${tenant}', 'c_total', number + 1, map('n', toString(number), 'k', toString(number % 3)), 0, 4294967295
    FROM numbers(${seriesCount})`);
  await fill('c_total');
});
afterAll(() => opened[Symbol.asyncDispose]());

async function fill(metric: string): Promise<void> {
  await store.exec(`INSERT INTO samples_head SELECT '${tenant}', '${metric}', s + 1,
    fromUnixTimestamp64Milli(toInt64(${dayMs} + i * 30000 + s * 100), 'UTC'), (i + s) % 500 * 0.37
    FROM (SELECT number % ${seriesCount} AS s, intDiv(number, ${seriesCount}) AS i FROM numbers(${seriesCount * spanHours * 120}))`);
}

const everywhere = { cellSpanMs: 0, cellSeriesHours: 0, gridStepMs: 0, gridsEmbedded: true };

function engineOver(options: Partial<PromqlEngineOptions> & { bytesMax?: number; store?: Store } = {}) {
  const limits = {
    seriesMax: 1000,
    ...(options.bytesMax === undefined ? {} : { bytesMax: options.bytesMax }),
  };
  return createPromqlEngine({
    source: (name, { onStatement }) =>
      createSampleSource(options.store ?? store, name, limits, { probe, onStatement }),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 300_000,
    thresholds: everywhere,
    ...options,
  });
}

const range = {
  tenant,
  startMs: dayMs + hourMs,
  endMs: dayMs + spanHours * hourMs,
  stepMs: 300_000,
  explain: true,
};

function pathOf(outcome: QueryOutcome): string {
  const find = (node: ExplainedNode): string => node.read?.path ?? node.children?.map(find).join('') ?? '';
  return find(outcome.explanation!.plan);
}

function numbersOf({ result }: QueryOutcome): number[] {
  if (result.type !== 'matrix') throw new Error('not a matrix');
  return result.series.flatMap(({ values }) => [...values]);
}

describe('functions that differ by rounding', () => {
  test.each(['rate', 'increase', 'delta', 'irate'])(
    '%s is pushed where that was asked for, and is near',
    async (name) => {
      const query = `${name}(c_total[7m])`;
      const exact = await engineOver().range({ ...range, query });
      const near = await engineOver({ pushDown: 'approximate' }).range({ ...range, query });
      expect([pathOf(exact), pathOf(near)]).toEqual(['kernel', 'grid']);
      const wanted = numbersOf(exact);
      const found = numbersOf(near);
      expect(found).toHaveLength(wanted.length);
      const errors = wanted.map((value, i) => Math.abs(value - found[i]!) / Math.max(1e-9, Math.abs(value)));
      expect(Math.max(...errors)).toBeLessThan(1e-9);
      expect(near.infos).toEqual(exact.infos);
    },
  );
});

describe('groups are put together in the store', () => {
  const pushedReason = ({ explanation }: QueryOutcome) => explanation!.plan.read?.reason;

  test.each([
    {
      query: 'max by (k) (resets(c_total[7m]))',
      pushDown: 'exact',
      reason: 'the store computes resets and its max',
    },
    { query: 'count(c_total)', pushDown: 'exact', reason: 'the store computes selector and its count' },
    {
      query: 'group by (k, nothing) (c_total offset 7m)',
      pushDown: 'exact',
      reason: 'the store computes selector and its group',
    },
    { query: 'sum by (k) (resets(c_total[7m]))', pushDown: 'exact', reason: undefined },
    { query: 'max without (n) (resets(c_total[7m]))', pushDown: 'exact', reason: undefined },
    { query: 'max by (__name__) (c_total)', pushDown: 'exact', reason: undefined },
    {
      query: 'sum by (k) (rate(c_total[7m]))',
      pushDown: 'approximate',
      reason: 'the store computes rate and its sum',
    },
    { query: 'avg(c_total)', pushDown: 'approximate', reason: 'the store computes selector and its avg' },
  ] as const)('$query, $pushDown: $reason', async ({ query, pushDown, reason }) => {
    const wanted = await engineOver({ pushDown: 'off' }).range({ ...range, query, resolution: 'raw' });
    const found = await engineOver({ pushDown }).range({ ...range, query, resolution: 'raw' });
    expect(pushedReason(found)).toBe(reason);
    if (pushDown === 'exact') expect(found.result).toEqual(wanted.result);
    const errors = numbersOf(wanted).map((value, i) => Math.abs(value - numbersOf(found)[i]!) / value);
    expect(Math.max(...errors.filter((error) => !Number.isNaN(error)))).toBeLessThan(1e-9);
    expect(found.result).toMatchObject({
      series: { length: wanted.result.type === 'matrix' ? wanted.result.series.length : 0 },
    });
    expect(found.infos).toEqual(wanted.infos);
  });

  test('their series and samples count', async () => {
    for (const limits of [{ seriesMax: 39 }, { samplesMax: 1000 }]) {
      const engine = engineOver({ limits: { ...promqlLimitsDefault, ...limits } });
      await expect(engine.range({ ...range, query: 'max(resets(c_total[7m]))' })).rejects.toThrow(
        'raise it with',
      );
    }
  });
});

describe('the self-test', () => {
  test('this engine passes it', async () => {
    const { functions, failures } = await probe.result();
    expect([...failures]).toEqual([]);
    expect(functions.size).toBe(9);
  });

  test.each([
    {
      name: 'answers otherwise',
      from: 'timeSeriesResetsToGrid',
      to: 'timeSeriesChangesToGrid',
      failure: /it answers \[2,1,0\] where \[1,0,0\] is right/,
    },
    {
      name: 'is not there',
      from: 'timeSeriesResetsToGrid',
      to: 'timeSeriesNothingToGrid',
      failure: /timeSeriesNothingToGrid/,
    },
  ])('a function that $name is not pushed, and the log says so', async ({ from, to, failure }) => {
    const warnings: object[] = [];
    const other = storeOver(store, {
      rows: (sql, options) => store.rows(sql.replace(from, to), options),
    });
    const found = createPushDownProbe(other, { warn: (fields) => void warnings.push(fields) });
    const { functions } = await found.result();
    expect(functions.has('resets')).toBe(false);
    expect(functions.size).toBe(8);
    expect(warnings).toEqual([{ function: 'resets', failure: expect.stringMatching(failure) }]);
  });

  test('a store that is down is asked again', async () => {
    let isDown = true;
    const other = storeOver(store, {
      rows: (sql, options) =>
        isDown ? Promise.reject(new StoreError('down', { retryable: true })) : store.rows(sql, options),
    });
    const found = createPushDownProbe(other, { warn: () => {} });
    expect((await found.result()).functions.size).toBe(0);
    isDown = false;
    expect((await found.result()).functions.size).toBe(9);
  });
});

describe('limits hold for what is pushed', () => {
  test.each([
    {
      limits: { seriesMax: 39 },
      message: 'the query reads more than 39 series (raise it with query.series_max)',
    },
    {
      limits: { samplesMax: 1000 },
      message: 'the query reads or computes more than 1000 samples (raise it with query.samples_max)',
    },
  ])('$message', async ({ limits, message }) => {
    const engine = engineOver({ limits: { ...promqlLimitsDefault, ...limits } });
    await expect(engine.range({ ...range, query: 'resets(c_total[7m])' })).rejects.toThrow(message);
  });

  test.each(['resets(c_total[7m])', 'rate(c_total[7m])'])('bytes: %s', async (query) => {
    const message = 'the query reads more than 100000 bytes (raise it with query.bytes_max)';
    await expect(engineOver({ bytesMax: 100_000 }).range({ ...range, query })).rejects.toThrow(message);
  });
});

test.each(['resets(c_total[7m])', 'changes(c_total[7m])'])(
  'a client that hangs up cancels %s in the engine',
  async (query) => {
    const abort = new AbortController();
    const stopped = Promise.withResolvers<void>();
    // The engine would be busy for minutes: each sample waits.
    const slow = storeOver(store, {
      stream: async function* (sql, options) {
        const slowed = sql.replace(
          'SELECT id, ts, v FROM samples_head',
          'SELECT id, ts, v + sleepEachRow(0.001) AS v FROM samples_head',
        );
        if (slowed === sql) {
          yield* store.stream(sql, options);
          return;
        }
        try {
          setTimeout(() => abort.abort(new Error('gone')), 300);
          const settings = { ...options?.settings, max_block_size: 100, max_threads: 1 };
          yield* store.stream(slowed, { ...options, settings });
        } finally {
          stopped.resolve();
        }
      },
    });
    const engine = engineOver({ store: slow });
    await expect(engine.range({ ...range, query, abort: abort.signal })).rejects.toThrow('gone');
    await stopped.promise;
    await vi.waitFor(async () => {
      const running = await store.rows(
        "SELECT query FROM system.processes WHERE query LIKE '%sleepEachRow%' AND query NOT LIKE '%processes%'",
      );
      expect(running).toEqual([]);
    }, 20_000);
  },
);

test('while samples move to chunks and cells, every path sees each of them once', async () => {
  const queries = [
    'resets(c_total[7m])',
    'last_over_time(c_total[7m])',
    'count_over_time(c_total[1h])',
    'rate(c_total[1h])',
    'c_total',
  ];
  const kernels = engineOver({ pushDown: 'off' });
  const wanted = await Promise.all(queries.map((query) => kernels.range({ ...range, query })));
  const log = { info: () => {}, error: (fields: object) => console.error(fields) };
  let isDone = false;
  const compaction = compactClosed(
    store,
    { latenessMs: 0, nowMs: dayMs + (spanHours - 2) * hourMs, log },
    nothing,
  ).finally(() => {
    isDone = true;
  });
  const engine = engineOver();
  const paths = new Set<string>();
  let askedMeanwhile = 0;
  for (let round = 0; !isDone || round < queries.length; round++) {
    const i = round % queries.length;
    const found = await engine.range({ ...range, query: queries[i]! });
    if (!isDone) askedMeanwhile++;
    paths.add(pathOf(found));
    expect(found.result, queries[i]).toEqual(wanted[i]!.result);
  }
  await compaction;
  expect(askedMeanwhile).toBeGreaterThan(5);
  expect([...paths]).toEqual(expect.arrayContaining(['cells', 'grid']));
});

describe('max_source_resolution', () => {
  test.each(['5m', '1h'] as const)(
    '%s answers from cells, near what it stands for, and says so',
    async (resolution) => {
      // Windows that are no multiples of anything.
      const times = {
        ...range,
        startMs: dayMs + 7 * hourMs + 17_000,
        endMs: dayMs + 19 * hourMs,
        stepMs: 613_000,
      };
      // Windows end up to a resolution earlier: the mean error, in parts of the mean.
      for (const [query, tolerances] of [
        ['sum(count_over_time(c_total[113m]))', { '5m': 0.001, '1h': 0.02 }],
        ['sum(max_over_time(c_total[113m]))', { '5m': 0.03, '1h': 0.2 }],
        ['sum(rate(c_total[113m]))', { '5m': 0.02, '1h': 0.2 }],
        ['count(c_total)', { '5m': 0, '1h': 0 }],
      ] as const) {
        const exact = await engineOver({ pushDown: 'off' }).range({ ...times, query });
        const near = await engineOver().range({ ...times, query, resolution });
        expect(pathOf(near)).toBe('cells');
        expect(near.infos.join()).toContain(
          `answered from samples of ${resolution === '1h' ? 60 : 5} minutes, as max_source_resolution asks: the result is approximate`,
        );
        const wanted = numbersOf(exact);
        const found = numbersOf(near);
        expect(found).toHaveLength(wanted.length);
        const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
        const error = sum(wanted.map((value, i) => Math.abs(value - found[i]!))) / sum(wanted);
        expect(error, query).toBeLessThanOrEqual(tolerances[resolution]);
      }
    },
  );

  test('raw reads samples', async () => {
    const outcome = await engineOver().range({
      ...range,
      query: 'count_over_time(c_total[1h])',
      resolution: 'raw',
    });
    expect(pathOf(outcome)).toBe('kernel');
  });
});

test('explain shows the statements with the names of their values', async () => {
  const { explanation } = await engineOver().range({ ...range, query: 'resets(c_total{k="1"}[7m])' });
  const statement = explanation!.statements.find(({ sql }) => sql.includes('timeSeriesResetsToGrid'));
  expect(statement).toMatchObject({
    count: 1,
    params: {
      metric: 'c_total',
      gridStep: '300.000',
      gridRange: '420.000',
      ids: expect.stringContaining('2,5,8'),
    },
  });
  expect(statement?.sql).toContain('metric = {metric:String}');
});
