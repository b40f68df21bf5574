/**
 * Runs promqltest scripts against our engine over series in memory. An instant case is also run as a range query
 * around its time, as Prometheus's own runner does.
 */
import { errorMessage } from '#model/errors.ts';
import { type Labels, labelValue, metricNameLabel, sortLabels } from '#model/labels.ts';
import { parseDurationMs } from '#query/language/quantity.ts';
import { unquote } from '#query/language/quoted-string.ts';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { QueryOutcome } from '#query/promql/query-result.ts';
import { labelsKey, renderLabels } from '#query/promql/step-series.ts';
import { createMemorySampleSource, type MemorySeries } from './memory-sample-source.ts';
import {
  type AnnotationExpectation,
  type EvalCase,
  parseEval,
  parseScript,
  type ScriptBlock,
  type TextExpectation,
} from './promqltest-script.ts';
import { absent, histogram, parseSeriesLine, staleNan } from './series-notation.ts';

export interface CaseResult {
  readonly lineNumber: number;
  readonly command: string;
  /** 'refused': the engine says that it does not support something yet. */
  readonly outcome: 'passed' | 'refused' | 'failed';
  readonly detail: string;
}

const minuteMs = 60_000;

export async function runScript(text: string): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  let series: Map<string, MemorySeries> = new Map();
  for (const block of parseScript(text)) {
    if (block.command === 'clear') series = new Map();
    else if (block.command.startsWith('load')) load(series, block);
    else results.push(await runEval([...series.values()], block));
  }
  return results;
}

function parseMs(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const plain = text.replace(/^[+-]/, '');
  const ms = parseDurationMs(plain) ?? Number(plain) * 1000;
  if (Number.isNaN(ms)) throw new Error(`no time: ${text}`);
  return sign * ms;
}

function load(series: Map<string, MemorySeries>, { command, lines }: ScriptBlock): void {
  const [kind, step] = command.split(/\s+/);
  const stepMs = parseMs(step);
  for (const line of lines) {
    const { labels, values, stale, hasStartTimestamps } = parseSeriesLine(line);
    const points = values
      .map((value, i) => ({ time: i * stepMs, value, isStale: stale.has(i) }))
      .filter(({ value }) => value !== absent);
    const numbers = new Float64Array(points.length);
    for (const [i, { value, isStale }] of points.entries()) {
      // A stale marker must be copied as bits.
      if (isStale) numbers.set(staleNan, i);
      else numbers[i] = typeof value === 'number' ? value : 0;
    }
    const refusal = values.includes(histogram)
      ? 'native histograms are not supported yet'
      : hasStartTimestamps
        ? 'start timestamps are not supported yet'
        : undefined;
    const timestamps = Float64Array.from(points, ({ time }) => time);
    add(series, { labels, timestamps, values: numbers, ...(refusal === undefined ? {} : { refusal }) });
    if (kind === 'load_with_nhcb') addCustomBuckets(series, labels, timestamps);
  }
}

/** The same series may be loaded in parts. */
function add(series: Map<string, MemorySeries>, more: MemorySeries): void {
  const key = labelsKey(more.labels);
  const before = series.get(key);
  if (before === undefined) {
    series.set(key, more);
    return;
  }
  const byTime = new Map<number, number>();
  const parts = [before, more];
  for (const [part, { timestamps }] of parts.entries()) {
    for (const [i, time] of timestamps.entries()) byTime.set(time, part * 2 ** 31 + i);
  }
  const times = [...byTime.keys()].sort((a, b) => a - b);
  const values = new Float64Array(times.length);
  for (const [i, time] of times.entries()) {
    const place = byTime.get(time) ?? 0;
    const index = place % 2 ** 31;
    values.set(parts[place >= 2 ** 31 ? 1 : 0].values.subarray(index, index + 1), i);
  }
  const refusal = before.refusal ?? more.refusal;
  const merged = { labels: more.labels, timestamps: Float64Array.from(times), values };
  series.set(key, refusal === undefined ? merged : { ...merged, refusal });
}

/** load_with_nhcb makes native histograms of classic ones: the engine must refuse what selects those. */
function addCustomBuckets(series: Map<string, MemorySeries>, labels: Labels, timestamps: Float64Array): void {
  const name = labelValue(labels, metricNameLabel);
  const base = /^(.*)_(bucket|count|sum)$/.exec(name)?.[1];
  if (base === undefined) return;
  const others = labels.filter(([key]) => key !== metricNameLabel && key !== 'le');
  const custom = sortLabels([...others, [metricNameLabel, base] as const]);
  const values = new Float64Array(timestamps.length);
  add(series, { labels: custom, timestamps, values, refusal: 'native histograms are not supported yet' });
}

async function runEval(series: readonly MemorySeries[], block: ScriptBlock): Promise<CaseResult> {
  const { command, lineNumber } = block;
  const engine = createPromqlEngine({
    source: () => createMemorySampleSource(series),
    limits: promqlLimitsDefault,
    lookbackMsDefault: 5 * minuteMs,
    delaysNameRemoval: true,
  });
  try {
    const failure = await checkCase(engine, parseEval(block, parseMs));
    return {
      lineNumber,
      command,
      outcome: failure === undefined ? 'passed' : 'failed',
      detail: failure ?? '',
    };
  } catch (error) {
    const detail =
      error instanceof Refusal ? error.message : `${error instanceof Error ? error.stack : error}`;
    return { lineNumber, command, outcome: error instanceof Refusal ? 'refused' : 'failed', detail };
  }
}

class Refusal extends Error {}

/** Returns what is wrong, or nothing. Throws Refusal where something is not supported yet. */
async function checkCase(engine: PromqlEngine, test: EvalCase): Promise<string | undefined> {
  if (test.results.some((line) => line.includes('{{'))) {
    throw new Refusal('the case expects native histograms, which are not supported yet');
  }
  const { expression: query, startMs, endMs, stepMs } = test;
  const ask = () =>
    stepMs === 0
      ? engine.instant({ tenant: 'test', query, timeMs: startMs })
      : engine.range({ tenant: 'test', query, startMs, endMs, stepMs });
  const answer = await settle(ask);
  if ('error' in answer) {
    if (!test.mustFail) return `failed: ${answer.error}`;
    return checkText(test.failure, [answer.error]) ? undefined : `failed with another text: ${answer.error}`;
  }
  if (test.mustFail) return 'did not fail';
  const wrong =
    checkResults(test, answer.outcome) ??
    checkAnnotations('warnings', test.warn, answer.outcome.warnings) ??
    checkAnnotations('infos', test.info, answer.outcome.infos);
  if (wrong !== undefined || stepMs !== 0 || test.isOrdered) return wrong;
  return checkAsRange(engine, test, answer.outcome);
}

async function settle(
  ask: () => Promise<QueryOutcome>,
): Promise<{ outcome: QueryOutcome } | { error: string }> {
  try {
    return { outcome: await ask() };
  } catch (error) {
    const message = errorMessage(error);
    if (/(is|are) not supported yet/.test(message)) throw new Refusal(message);
    if (error instanceof Error && !('code' in error)) throw error;
    return { error: message };
  }
}

function checkText(expected: TextExpectation | undefined, texts: readonly string[]): boolean {
  if (expected?.message !== undefined) return texts.includes(expected.message);
  const { pattern } = expected ?? {};
  return pattern === undefined || texts.some((text) => pattern.test(text));
}

function checkAnnotations(
  kind: string,
  expected: AnnotationExpectation,
  texts: readonly string[],
): string | undefined {
  if (expected === 'any') return undefined;
  if (expected === 'none') return texts.length === 0 ? undefined : `unexpected ${kind}: ${texts.join('; ')}`;
  if (texts.length > 0 && checkText(expected, texts)) return undefined;
  return `expected ${kind} ${expected.message ?? expected.pattern ?? ''}, got: ${texts.join('; ')}`;
}

function checkResults(test: EvalCase, { result }: QueryOutcome): string | undefined {
  if (test.string !== undefined) {
    const text = result.type === 'string' ? result.value : undefined;
    return text === unquote(test.string) ? undefined : `expected ${test.string}, got ${JSON.stringify(text)}`;
  }
  if (result.type === 'string') return 'an unexpected string';
  if (result.type === 'scalar') {
    const expected =
      test.results.length === 1 ? Number(test.results[0].replace(/^([+-]?)inf$/i, '$1Infinity')) : NaN;
    return isClose(expected, result.value) ? undefined : `expected ${test.results}, got ${result.value}`;
  }
  const expected = test.results
    .filter((line) => !line.startsWith('expect range vector'))
    .map((line) => {
      const { labels, values } = parseSeriesLine(line);
      return { labels, values: [...values] as (number | string)[] };
    });
  const actual =
    result.type === 'vector'
      ? result.samples.map(({ labels, value }) => ({ labels, values: [value] as (number | string)[] }))
      : matrixRows(test, result.series);
  return compareSeries(expected, actual, test.isOrdered);
}

function matrixRows(
  test: EvalCase,
  series: readonly { labels: Labels; timestamps: Float64Array; values: Float64Array }[],
): { labels: Labels; values: (number | string)[] }[] {
  if (test.stepMs === 0) return series.map(({ labels, values }) => ({ labels, values: [...values] }));
  return series.map(({ labels, timestamps, values }) => {
    const row: (number | string)[] = [];
    for (let time = test.startMs; time <= test.endMs; time += test.stepMs) {
      const index = timestamps.indexOf(time);
      row.push(index === -1 ? absent : values[index]);
    }
    return { labels, values: row };
  });
}

type Row = { readonly labels: Labels; readonly values: readonly (number | string)[] };

function compareSeries(
  expected: readonly Row[],
  actual: readonly Row[],
  isOrdered: boolean,
): string | undefined {
  const describe = (rows: readonly Row[]) =>
    rows.map(({ labels, values }) => `${renderLabels(labels)} ${values.join(' ')}`).join(' | ');
  const difference = `expected ${describe(expected)}, got ${describe(actual)}`;
  if (expected.length !== actual.length) return difference;
  const byKey = new Map(actual.map((row, index) => [labelsKey(row.labels), { row, index }]));
  for (const [index, row] of expected.entries()) {
    const found = byKey.get(labelsKey(row.labels));
    if (found === undefined || (isOrdered && found.index !== index)) return difference;
    const length = Math.max(row.values.length, found.row.values.length);
    for (let i = 0; i < length; i++) {
      if (!isSame(row.values[i] ?? absent, found.row.values[i] ?? absent)) return difference;
    }
  }
  return undefined;
}

function isSame(expected: number | string, actual: number | string): boolean {
  if (typeof expected === 'string' || typeof actual === 'string') return expected === actual;
  return isClose(expected, actual);
}

/** Prometheus's own tolerance. */
const tolerance = 1e-6;

function isClose(expected: number, actual: number): boolean {
  if (Number.isNaN(expected) || Number.isNaN(actual)) return Number.isNaN(expected) && Number.isNaN(actual);
  if (expected === actual) return true;
  const sum = Math.abs(expected) + Math.abs(actual);
  const difference = Math.abs(expected - actual);
  return difference / Math.min(sum, Number.MAX_VALUE) < tolerance;
}

async function checkAsRange(
  engine: PromqlEngine,
  { expression: query, startMs: timeMs }: EvalCase,
  { result }: QueryOutcome,
): Promise<string | undefined> {
  if (result.type !== 'vector' && result.type !== 'scalar') return undefined;
  // The answer of these depends on the query's bounds and step.
  if (/\b(start|end|step|range)\(\)/.test(query)) return undefined;
  const request = { startMs: timeMs - minuteMs, endMs: timeMs + minuteMs, stepMs: minuteMs };
  const answer = await settle(() => engine.range({ tenant: 'test', query, ...request }));
  if ('error' in answer)
    return /duplicate|same labelset|multiple matches/.test(answer.error) ? undefined : answer.error;
  const matrix = answer.outcome.result;
  if (matrix.type !== 'matrix') return `a range query answered a ${matrix.type}`;
  const expected = result.type === 'scalar' ? [{ labels: [], value: result.value }] : result.samples;
  const actual = matrix.series.flatMap(({ labels, timestamps, values }) => {
    const index = timestamps.indexOf(timeMs);
    return index === -1 ? [] : [{ labels, values: [values[index]] }];
  });
  const rows = expected.map(({ labels, value }) => ({ labels, values: [value] }));
  const difference = compareSeries(rows, actual, false);
  return difference === undefined ? undefined : `as a range query: ${difference}`;
}
