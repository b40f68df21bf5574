/**
 * Goal: whichever way a query is executed, the answer is the same: to the last bit where the plan says so, annotations and
 * errors too.
 * Method: random samples in every state of their way from rows to chunks and cells, random queries, each with kernels
 * alone and with everything that may be pushed. PATHS_SEED repeats a run, PATHS_QUERIES looks longer.
 */
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import type { PushDown } from '#query/promql/plan/choose-path.ts';
import type { Explanation } from '#query/promql/plan/explain.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { QueryOutcome } from '#query/promql/query-result.ts';
import { renderLabels } from '#query/promql/step-series.ts';
import { createPushDownProbe, type PushDownProbe } from '#query/sql/pushed-reads.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import type { CompactionStep } from '#store/compaction/window.ts';
import type { Store } from '#store/store.ts';
import {
  dayMs,
  hourMs,
  insertSamples,
  type StoredSample,
  tenant,
} from '../../store/compaction/stored-samples.ts';
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';
import { Dice, type RandomQuery, randomQuery, randomSamples, seriesCount } from './random-queries.ts';

vi.setConfig({ testTimeout: 1_800_000, hookTimeout: 120_000 });

const seed = Number(process.env.PATHS_SEED ?? 20_261_127);
const queriesPerState = Number(process.env.PATHS_QUERIES ?? 20);

let opened: TestStore;
let store: Store;
let probe: PushDownProbe;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  probe = createPushDownProbe(store, { warn: (fields, message) => console.warn(message, fields) });
  await store.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
     SELECT {tenant:String}, 'm', number + 1, map('s', toString(number + 1), 'k', if(number % 2 = 0, 'a', 'b')), 0, 4294967295
     FROM numbers({count:UInt32})`,
    { params: { tenant, count: seriesCount } },
  );
});
afterAll(() => opened[Symbol.asyncDispose]());

async function insert(samples: readonly StoredSample[]): Promise<void> {
  for (let at = 0; at < samples.length; at += 1000) await insertSamples(store, samples.slice(at, at + 1000));
}

/** Compacts what closed before `hours`; `stopAt` is where it is cut off. */
async function compact(hours: number, stopAt?: CompactionStep): Promise<void> {
  const log = { info: () => {}, error: () => {} };
  const failpoint = (step: CompactionStep) => {
    if (step === stopAt) throw new Error('cut off');
  };
  const options = { latenessMs: 0, nowMs: dayMs + hours * hourMs, log, failpoint };
  await compactClosed(store, options, new AbortController().signal);
}

function engineWith(pushDown: PushDown, isPushed: boolean): PromqlEngine {
  return createPromqlEngine({
    source: (name, { onStatement }) =>
      createSampleSource(store, name, { seriesMax: 100 }, isPushed ? { probe, onStatement } : {}),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 300_000,
    pushDown,
    thresholds: { cellSpanMs: 0, cellSeriesHours: 0, gridStepMs: 0, gridsEmbedded: true },
  });
}

async function ask(
  engine: PromqlEngine,
  { query, startMs, endMs, stepMs }: RandomQuery,
  resolution?: '5m' | '1h',
) {
  const request = { tenant, query, explain: true, resolution };
  try {
    return stepMs === 0
      ? await engine.instant({ ...request, timeMs: endMs })
      : await engine.range({ ...request, startMs, endMs, stepMs });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return error.message;
    throw error;
  }
}

/** An answer as text, values as their bits; NaNs that were computed are one. */
function textOf(outcome: QueryOutcome | string, valueText: (value: number) => string): string[] {
  if (typeof outcome === 'string') return [`error: ${outcome}`];
  const { result, warnings, infos } = outcome;
  const notes = [...warnings, ...infos].sort();
  if (result.type === 'vector') {
    return [
      ...notes,
      ...result.samples.map(({ labels, value }) => `${renderLabels(labels)} ${valueText(value)}`),
    ];
  }
  if (result.type !== 'matrix') throw new Error(`not compared: ${result.type}`);
  return [
    ...notes,
    ...result.series.map(({ labels, timestamps, values }) => {
      const points = Array.from(timestamps, (time, i) => `${(time - dayMs) / 1000}:${valueText(values[i]!)}`);
      return `${renderLabels(labels)} ${points.join(' ')}`;
    }),
  ];
}

const bitsText = (value: number) =>
  Number.isNaN(value) ? 'NaN' : Object.is(value, -0) ? '-0' : String(value);

/** How many reads took each path. */
const taken = new Map<string, number>();

function countPaths(outcome: QueryOutcome | string): void {
  if (typeof outcome === 'string') return;
  const visit = (node: Explanation['plan']): void => {
    if (node.read !== undefined) {
      const isGroup = node.read.reason.includes(' and its ');
      const path = isGroup ? 'groups' : node.read.path;
      taken.set(path, (taken.get(path) ?? 0) + 1);
    }
    node.children?.forEach(visit);
  };
  visit(outcome.explanation!.plan);
}

async function compareAll(dice: Dice, state: string): Promise<void> {
  const kernels = engineWith('off', false);
  const exact = engineWith('exact', true);
  for (let i = 0; i < queriesPerState; i++) {
    const query = randomQuery(dice);
    const wanted = await ask(kernels, query);
    const found = await ask(exact, query);
    countPaths(found);
    const plan = typeof found === 'string' ? '' : JSON.stringify(found.explanation?.plan);
    expect(textOf(found, bitsText), `PATHS_SEED=${seed}, ${state}: ${JSON.stringify(query)} ${plan}`).toEqual(
      textOf(wanted, bitsText),
    );
  }
}

test('every path answers the same, in every state of the samples', async () => {
  const dice = new Dice(seed);
  const samples = randomSamples(dice);
  const isLate = () => dice.chance(0.003);
  const late = samples.filter(isLate);
  const lateSet = new Set(late);
  await insert(samples.filter((one) => !lateSet.has(one)));
  await compareAll(dice, 'all in the head');
  await compact(20);
  await compareAll(dice, 'closed windows compacted');
  await compact(22, 'cells');
  await compareAll(dice, 'a compaction cut off before its cells');
  await compact(22, 'drop');
  await compareAll(dice, 'a compaction cut off before it drops what it read');
  await insert(late.slice(0, late.length / 2));
  await compareAll(dice, 'late samples wait');
  await compact(30);
  await compareAll(dice, 'late samples compacted, nothing in the head');
  await insert(late.slice(late.length / 2));
  await compact(30, 'chunk');
  await compareAll(dice, 'late samples on their way');
  expect(taken.get('grid')).toBeGreaterThan(queriesPerState / 2);
  expect(taken.get('cells')).toBeGreaterThan(queriesPerState / 2);
  expect(taken.get('groups')).toBeGreaterThan(queriesPerState / 10);
  console.info(`paths taken: ${JSON.stringify(Object.fromEntries(taken))}`);
});
