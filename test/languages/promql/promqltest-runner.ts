/**
 * Runs promqltest scripts against our engine over series in memory. An instant case is also run as a range query
 * around its time, as Prometheus's own runner does.
 */
import { errorMessage } from '#model/errors.ts';
import { unquote } from '#query/language/quoted-string.ts';
import { createPromqlEngine, type PromqlEngine } from '#query/promql/engine.ts';
import { promqlLimitsDefault } from '#query/promql/query-budget.ts';
import type { QueryOutcome } from '#query/promql/query-result.ts';
import type { SeriesSamples } from '#query/promql/source.ts';
import { createMemorySampleSource } from './memory-sample-source.ts';
import { compareSeries, isClose, matrixRows, vectorRows } from './promqltest-compare.ts';
import { load, parseMs } from './promqltest-load.ts';
import {
  type AnnotationExpectation,
  type EvalCase,
  parseEval,
  parseScript,
  type ScriptBlock,
  type TextExpectation,
} from './promqltest-script.ts';
import { absent, parseSeriesLine } from './series-notation.ts';

export interface CaseResult {
  readonly lineNumber: number;
  readonly command: string;
  readonly outcome: 'passed' | 'failed';
  readonly detail: string;
}

const minuteMs = 60_000;

export async function runScript(text: string): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  let series: Map<string, SeriesSamples> = new Map();
  for (const block of parseScript(text)) {
    if (block.command === 'clear') series = new Map();
    else if (block.command.startsWith('load')) load(series, block);
    else results.push(await runEval([...series.values()], block));
  }
  return results;
}

async function runEval(series: readonly SeriesSamples[], block: ScriptBlock): Promise<CaseResult> {
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
    const detail = `${error instanceof Error ? error.stack : error}`;
    return { lineNumber, command, outcome: 'failed', detail };
  }
}

/** Returns what is wrong, or nothing. */
async function checkCase(engine: PromqlEngine, test: EvalCase): Promise<string | undefined> {
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
    .map((line) => parseSeriesLine(line));
  const actual = result.type === 'vector' ? vectorRows(result.samples) : matrixRows(test, result.series);
  return compareSeries(expected, actual, test.isOrdered);
}

async function checkAsRange(
  engine: PromqlEngine,
  test: EvalCase,
  { result }: QueryOutcome,
): Promise<string | undefined> {
  const { expression: query, startMs: timeMs } = test;
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
  const rows = matrixRows({ ...test, ...request }, matrix.series);
  const actual = rows
    .map(({ labels, values }) => ({ labels, values: values.slice(1, 2) }))
    .filter(({ values }) => values[0] !== absent);
  const difference = compareSeries(vectorRows(expected), actual, false);
  return difference === undefined ? undefined : `as a range query: ${difference}`;
}
