/**
 * What the paths of a PromQL query cost on this machine: samples and kernels, grids computed by the engine, and cells of five
 * minutes. The thresholds in query/promql/plan/choose-path.ts are from here.
 *
 *   node bench/promql-paths.ts [--series 1000] [--hours 72] [--interval 15] [--runs 5]
 *
 * CPU milliseconds of the whole process, engine included, and wall time: medians. `rows` is how many series came back.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createPromqlEngine } from '#query/promql/engine.ts';
import type { PushDown, SourceResolution } from '#query/promql/plan/choose-path.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import { createPushDownProbe } from '#query/sql/pushed-reads.ts';
import { createSampleSource } from '#query/sql/samples.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';

// Before the pool's first thread starts: each statement of the engine takes one.
process.env.UV_THREADPOOL_SIZE ??= '32';

const { values } = parseArgs({
  options: {
    series: { type: 'string', default: '1000' },
    hours: { type: 'string', default: '72' },
    interval: { type: 'string', default: '15' },
    runs: { type: 'string', default: '5' },
  },
});
const seriesCount = Number(values.series);
const hours = Number(values.hours);
const intervalSeconds = Number(values.interval);
const runs = Number(values.runs);
const startMs = 1_794_268_800_000;
const endMs = startMs + hours * 3_600_000;
const tenant = 'default';

/** Integer counters that now and then restart; the newest two hours stay in the head. */
async function fill(store: Store): Promise<void> {
  await store.exec(`INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
    SELECT '${tenant}', 'requests_total', sipHash64(number), map('job', toString(number % 20), 'n', toString(number)),
      toDateTime(${startMs / 1000}), toDateTime(${endMs / 1000}) FROM numbers(${seriesCount})`);
  const perWindow = 7200 / intervalSeconds;
  const log = { info: () => {}, error: (fields: object) => console.error(fields) };
  for (let hour = 0; hour < hours; hour += 2) {
    const firstMs = startMs + hour * 3_600_000;
    await store.exec(
      `INSERT INTO samples_head
       SELECT '${tenant}', 'requests_total', sipHash64(toUInt64(s)),
         fromUnixTimestamp64Milli(toInt64(${firstMs} + i * ${intervalSeconds * 1000} + intHash32(s) % ${intervalSeconds * 1000}), 'UTC'),
         (${hour * (3600 / intervalSeconds)} + i + s) % 20000 * 50 + intHash32(number) % 50
       FROM (SELECT number, intDiv(number, ${perWindow}) AS s, number % ${perWindow} AS i
         FROM numbers(${seriesCount * perWindow}))`,
      { timeoutMs: 600_000 },
    );
    if (hour + 2 >= hours) continue;
    const options = { latenessMs: 0, nowMs: firstMs + 7_200_000, log };
    await compactClosed(store, options, new AbortController().signal);
  }
}

interface Way {
  readonly name: string;
  readonly pushDown: PushDown;
  readonly resolution: SourceResolution;
}

const ways: readonly Way[] = [
  { name: 'kernel', pushDown: 'off', resolution: 'raw' },
  { name: 'grid', pushDown: 'approximate', resolution: 'raw' },
  { name: 'cells', pushDown: 'exact', resolution: 'auto' },
  { name: 'cells 1h', pushDown: 'exact', resolution: '1h' },
];

interface Question {
  readonly name: string;
  readonly query: string;
  /** Of the answer, back from the end; 0 is an instant query. */
  readonly spanHours: number;
  readonly stepSeconds: number;
}

const few = 'requests_total{job="3",n=~".*[02468]3"}';
const questions: readonly Question[] = [
  { name: 'instant, 1 series', query: 'requests_total{n="7"}', spanHours: 0, stepSeconds: 0 },
  { name: 'instant, 5 in 100', query: few, spanHours: 0, stepSeconds: 0 },
  { name: 'instant, all', query: 'requests_total', spanHours: 0, stepSeconds: 0 },
  {
    name: 'instant rate, all',
    query: 'sum by (job) (rate(requests_total[5m]))',
    spanHours: 0,
    stepSeconds: 0,
  },
  { name: 'selector 1 h, 1 series', query: 'requests_total{n="7"}', spanHours: 1, stepSeconds: 30 },
  { name: 'rate 1 h, 1 series', query: 'rate(requests_total{n="7"}[5m])', spanHours: 1, stepSeconds: 30 },
  { name: 'rate 1 h, 5 in 100', query: `rate(${few}[5m])`, spanHours: 1, stepSeconds: 30 },
  { name: 'rate 1 h, all', query: 'sum by (job) (rate(requests_total[5m]))', spanHours: 1, stepSeconds: 30 },
  ...[3, 6, 12, 24, 48, 70].map((spanHours) => ({
    name: `rate[1h] ${spanHours} h, all`,
    query: 'sum by (job) (rate(requests_total[1h]))',
    spanHours,
    stepSeconds: 1800,
  })),
  {
    name: 'rate[1h] 70 h, 1 series',
    query: 'rate(requests_total{n="7"}[1h])',
    spanHours: 70,
    stepSeconds: 1800,
  },
  {
    name: 'increase[5m] 70 h, all',
    query: 'sum(increase(requests_total[5m]))',
    spanHours: 70,
    stepSeconds: 300,
  },
  { name: 'selector 70 h, all', query: 'max(requests_total)', spanHours: 70, stepSeconds: 3600 },
  {
    name: 'sum_over_time[1d], all',
    query: 'sum(sum_over_time(requests_total[1d]))',
    spanHours: 40,
    stepSeconds: 3600,
  },
];

const median = (numbers: number[]): number =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? NaN;

const path = mkdtempSync(join(tmpdir(), 'sonde-bench-'));
const store = await openEmbeddedStore({ path });
try {
  await migrate(store);
  await fill(store);
  const probe = createPushDownProbe(store, { warn: (fields, message) => console.warn(message, fields) });
  console.log(`${seriesCount} series, ${hours} h, a sample each ${intervalSeconds} s`);
  console.log(
    `${'query'.padEnd(26)} ${'way'.padEnd(9)} ${'path'.padEnd(7)} ${'cpu'.padStart(7)} ${'wall'.padStart(7)} rows`,
  );
  for (const { name, query, spanHours, stepSeconds } of questions) {
    for (const way of ways) {
      const engine = createPromqlEngine({
        source: (who, onStatement) =>
          createSampleSource(store, who, { seriesMax: 1e6 }, { probe, onStatement }),
        thresholds: { cellSpanMs: 0, cellSeriesHours: 0, gridStepMs: 0, gridsEmbedded: true },
        limits: { ...promqlLimitsDefault, samplesMax: 1e9 },
        lookbackMsDefault: 300_000,
        pushDown: way.pushDown,
      });
      const cpu: number[] = [];
      const wall: number[] = [];
      let taken = '';
      let rows = 0;
      for (let run = 0; run <= runs; run++) {
        const before = process.cpuUsage();
        const started = performance.now();
        const request = { tenant, query, resolution: way.resolution, explain: run === 0 };
        const outcome =
          spanHours === 0
            ? await engine.instant({ ...request, timeMs: endMs })
            : await engine.range({
                ...request,
                startMs: endMs - spanHours * 3_600_000,
                endMs,
                stepMs: stepSeconds * 1000,
              });
        const { user, system } = process.cpuUsage(before);
        if (run === 0) {
          taken = /"path":"(\w+)"/.exec(JSON.stringify(outcome.explanation))?.[1] ?? '';
          const { result } = outcome;
          rows =
            result.type === 'vector'
              ? result.samples.length
              : result.type === 'matrix'
                ? result.series.length
                : 1;
          continue;
        }
        cpu.push((user + system) / 1000);
        wall.push(performance.now() - started);
      }
      if (way.name !== 'kernel' && taken === 'kernel') continue;
      const figures = [median(cpu), median(wall)].map((ms) => ms.toFixed(1).padStart(7)).join(' ');
      console.log(`${name.padEnd(26)} ${way.name.padEnd(9)} ${taken.padEnd(7)} ${figures} ${rows}`);
    }
  }
} finally {
  await store.close();
  rmSync(path, { recursive: true, force: true });
}
