/**
 * The PromQL engine: text, times and a source of samples in, a value out.
 *
 *   engine.range({ tenant, query: 'sum(rate(x[5m]))', startMs, endMs, stepMs })  ->  matrix
 *
 * It does no I/O but through the SampleSource that it is given, and reads no clock.
 */
import { LimitError } from '#model/errors.ts';
import type { InstantQuery } from '../instant.ts';
import { Annotations } from './annotations.ts';
import { resolveDurations } from './duration-expression.ts';
import { streamSubquery } from './evaluate-range-call.ts';
import { streamRawSamples } from './evaluate-selector.ts';
import type { Evaluation } from './evaluation.ts';
import { createEvaluation } from './evaluator.ts';
import { executionError } from './execution-error.ts';
import type { FloatHistogram } from './histogram/float-histogram.ts';
import { findStatsOnlySelectors } from './histogram/stats-only-selectors.ts';
import { parsePromql } from './parser.ts';
import {
  type PathThresholds,
  type PushDown,
  type SourceResolution,
  thresholdsDefault,
} from './plan/choose-path.ts';
import { explainPlan, type OnStatement, StatementRecorder } from './plan/explain.ts';
import { makePlan } from './plan/make-plan.ts';
import { SharedValues } from './pushed/shared-values.ts';
import { type PromqlLimits, QueryBudget } from './query-budget.ts';
import { QueryGate } from './query-gate.ts';
import type { MatrixSeries, QueryOutcome, QueryResult } from './query-result.ts';
import { queryTimeout } from './query-timeout-error.ts';
import type { SampleSource } from './source.ts';
import {
  compareLabels,
  dropMetricSchema,
  gridEndMs,
  mergeSameLabels,
  type StepGrid,
  type StepSeries,
  type Value,
} from './step-series.ts';
import { type Expression, unwrapParentheses } from './tree.ts';
import { expressionType, typeName } from './type-check.ts';

export interface PromqlEngineOptions {
  /** For one query. `onStatement` is to be told of each statement that the source sends to its store. */
  readonly source: (tenant: string, onStatement?: OnStatement) => SampleSource;
  readonly limits: PromqlLimits;
  /** How far back an instant selector looks; five minutes by Prometheus's custom. */
  readonly lookbackMsDefault: number;
  /** The step of subqueries that name none: Prometheus's evaluation interval, one minute. */
  readonly subqueryStepMs?: number;
  /** Prometheus's feature `promql-delayed-name-removal`. */
  readonly delaysNameRemoval?: boolean;
  /** Which reads a store may answer itself; equal ones by default. */
  readonly pushDown?: PushDown;
  /** From where on other paths than samples are taken. */
  readonly thresholds?: PathThresholds;
}

interface QueryRequest {
  readonly tenant: string;
  readonly query: string;
  readonly lookbackMs?: number | undefined;
  /** Shortens limits.timeoutMs. */
  readonly timeoutMs?: number | undefined;
  readonly abort?: AbortSignal | undefined;
  /** Whether cells of samples may, or must, stand for samples. */
  readonly resolution?: SourceResolution | undefined;
  /** Asks how the query was executed. */
  readonly explain?: boolean | undefined;
}

export interface PromqlInstantRequest extends QueryRequest {
  readonly timeMs: number;
}

export interface PromqlRangeRequest extends QueryRequest {
  readonly startMs: number;
  /** Inclusive. */
  readonly endMs: number;
  readonly stepMs: number;
}

/** Both reject with ParseError, LimitError, StoreError, RefusedError (422) or UnavailableError (time ran out). */
export interface PromqlEngine {
  instant(request: PromqlInstantRequest): Promise<QueryOutcome>;
  range(request: PromqlRangeRequest): Promise<QueryOutcome>;
}

const minuteMs = 60_000;

export function createPromqlEngine(options: PromqlEngineOptions): PromqlEngine {
  const gate = new QueryGate(options.limits.concurrency);
  return {
    instant: async (request) => {
      const expression = resolveDurations(parsePromql(request.query), { stepMs: 0, rangeMs: 0 });
      const grid = { startMs: request.timeMs, stepMs: 1, count: 1 };
      return run(options, gate, request, expression, grid, 0, (evaluation) =>
        answerInstant(evaluation, expression, grid),
      );
    },
    range: async (request) => {
      const { startMs, endMs, stepMs } = request;
      const expression = resolveDurations(parsePromql(request.query), { stepMs, rangeMs: endMs - startMs });
      const type = expressionType(expression);
      if (type === 'matrix' || type === 'string') {
        throw executionError(
          `invalid expression type "${typeName(type)}" for range query, must be Scalar or instant Vector`,
        );
      }
      const grid = rangeGrid(request, options.limits);
      return run(options, gate, request, expression, grid, request.stepMs, async (evaluation) =>
        answerRange(evaluation, await evaluation.evaluate(expression, grid), grid),
      );
    },
  };
}

function rangeGrid({ startMs, endMs, stepMs }: PromqlRangeRequest, { stepsMax }: PromqlLimits): StepGrid {
  const count = Math.floor((endMs - startMs) / stepMs) + 1;
  if (count > stepsMax) {
    throw new LimitError(`the query has more than ${stepsMax} steps`, 'query.steps_max');
  }
  return { startMs, stepMs, count };
}

async function run(
  options: PromqlEngineOptions,
  gate: QueryGate,
  request: QueryRequest,
  expression: Expression,
  grid: StepGrid,
  queryStepMs: number,
  answer: (evaluation: Evaluation) => Promise<QueryResult>,
): Promise<QueryOutcome> {
  const timeoutMs = Math.min(request.timeoutMs ?? Infinity, options.limits.timeoutMs);
  const timeout = AbortSignal.timeout(timeoutMs);
  const abort = request.abort === undefined ? timeout : AbortSignal.any([timeout, request.abort]);
  const annotations = new Annotations(request.query);
  let hasBegun = false;
  try {
    return await gate.run(abort, async () => {
      hasBegun = true;
      const recorder = request.explain === true ? new StatementRecorder() : undefined;
      const source = options.source(request.tenant, recorder?.onStatement);
      const times = {
        lookbackMs: request.lookbackMs ?? options.lookbackMsDefault,
        queryStartMs: grid.startMs,
        queryEndMs: gridEndMs(grid),
        subqueryStepMs: options.subqueryStepMs ?? minuteMs,
        delaysNameRemoval: options.delaysNameRemoval ?? false,
      };
      const wishes = {
        pushDown: options.pushDown ?? 'exact',
        resolution: request.resolution ?? 'auto',
        thresholds: options.thresholds ?? thresholdsDefault,
      };
      const plan = await makePlan(expression, grid, times, wishes, source, abort);
      const evaluation = createEvaluation({
        ...times,
        text: request.query,
        source,
        queryStepMs,
        statsOnlySelectors: findStatsOnlySelectors(expression),
        plan,
        shared: new SharedValues(plan),
        readsParts: false,
        budget: new QueryBudget(options.limits, abort),
        annotations,
        abort,
      });
      const result = await answer(evaluation);
      const { warnings, infos } = annotations;
      if (recorder === undefined) return { result, warnings, infos };
      return { result, warnings, infos, explanation: explainPlan(plan, wishes, recorder.statements) };
    });
  } catch (error) {
    // The store's own error for a query that we cancelled says less than the reason.
    if (timeout.aborted) throw queryTimeout(options.limits, request.timeoutMs, hasBegun, error);
    if (abort.aborted) throw abort.reason;
    throw error;
  }
}

async function answerInstant(
  evaluation: Evaluation,
  expression: Expression,
  grid: StepGrid,
): Promise<QueryResult> {
  const inner = unwrapParentheses(expression);
  const timeMs = grid.startMs;
  if (inner.kind === 'matrix') {
    const series: MatrixSeries[] = [];
    for await (const one of streamRawSamples(evaluation, inner, timeMs)) series.push(one);
    return { type: 'matrix', series: sortMatrix(series) };
  }
  if (inner.kind === 'subquery') {
    const series: MatrixSeries[] = [];
    for await (const one of streamSubquery(evaluation, inner, grid)) {
      const labels = one.dropsName ? dropMetricSchema(one.labels) : one.labels;
      if (!isEmpty(one)) series.push({ ...one, labels });
    }
    return { type: 'matrix', series: sortMatrix(series) };
  }
  const value = await evaluation.evaluate(inner, grid);
  if (value.kind === 'string') return { type: 'string', timeMs, value: value.value };
  if (value.kind === 'scalar') return { type: 'scalar', timeMs, value: value.values[0] };
  const series = finishNames(value.series).filter(({ present }) => present[0] === 1);
  return {
    type: 'vector',
    timeMs,
    samples: series.map(({ labels, values, histograms }) => {
      const histogram = histograms?.[0];
      return histogram === undefined ? { labels, value: values[0] } : { labels, value: NaN, histogram };
    }),
  };
}

function answerRange(evaluation: Evaluation, value: Value, grid: StepGrid): QueryResult {
  if (value.kind === 'string') throw new Error('BUG: a string in a range query');
  const times = new Float64Array(grid.count);
  for (let i = 0; i < grid.count; i++) times[i] = grid.startMs + i * grid.stepMs;
  if (value.kind === 'scalar') {
    return { type: 'matrix', series: [{ labels: [], timestamps: times, values: value.values }] };
  }
  evaluation.budget.addSamples(value.series.length * grid.count);
  const series = finishNames(value.series).map((one) => compact(one, times));
  return { type: 'matrix', series: sortMatrix(series.filter((one) => !isEmpty(one))) };
}

/** Removes the names that were marked for it. */
function finishNames(series: readonly StepSeries[]): readonly StepSeries[] {
  const named = series.map((one) => (one.dropsName ? { ...one, labels: dropMetricSchema(one.labels) } : one));
  return mergeSameLabels(named);
}

function compact({ labels, values, present, histograms }: StepSeries, times: Float64Array): MatrixSeries {
  if (histograms === undefined) {
    if (!present.includes(0)) return { labels, timestamps: times, values };
    const isKept = (_value: number, i: number) => present[i] === 1;
    return { labels, timestamps: times.filter(isKept), values: values.filter(isKept) };
  }
  const isNumber = (_value: number, i: number) => present[i] === 1 && histograms[i] === undefined;
  const isHistogram = (_value: number, i: number) => present[i] === 1 && histograms[i] !== undefined;
  return {
    labels,
    timestamps: times.filter(isNumber),
    values: values.filter(isNumber),
    histograms: {
      timestamps: times.filter(isHistogram),
      values: histograms.filter(
        (histogram, i) => histogram !== undefined && present[i] === 1,
      ) as FloatHistogram[],
    },
  };
}

function isEmpty({ values, histograms }: MatrixSeries): boolean {
  return values.length === 0 && (histograms?.values.length ?? 0) === 0;
}

function sortMatrix(series: readonly MatrixSeries[]): MatrixSeries[] {
  return [...series].sort((a, b) => compareLabels(a.labels, b.labels));
}

/** The engine as rules and scaling signals use it. Rejects where a query answers a string or a range vector. */
export function asInstantQuery(engine: PromqlEngine): InstantQuery {
  return async ({ tenant, query, timeMs, abort }) => {
    const { result } = await engine.instant({ tenant, query, timeMs, abort });
    if (result.type === 'scalar') return [{ labels: [], value: result.value }];
    if (result.type === 'vector') return result.samples;
    throw executionError('rule result is not a vector or scalar');
  };
}
