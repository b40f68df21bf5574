/**
 * Expressions over HTTP: query, query_range, format_query and parse_query.
 *
 *   POST /api/v1/query_range   query=up&start=1&end=2&step=1&limit=10&stats=all
 */
import type { FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import { ParseError } from '../../language/parse-error.ts';
import { parsePromql } from '../../promql/parser.ts';
import { prettifyPromql } from '../../promql/prettify.ts';
import type { QueryOutcome, QueryStats } from '../../promql/query-result.ts';
import type { Expression } from '../../promql/tree.ts';
import { expressionType, typeName } from '../../promql/type-check.ts';
import { executionWishes } from '../execution-wishes.ts';
import { invalid, type PrometheusParams, parseFlag, readDuration } from '../prometheus-params.ts';
import { outcomePieces, renderSuccess } from '../prometheus-reply.ts';
import type { Answer, Call } from './call.ts';
import { renderExpression } from './expression-json.ts';

export const truncatedWarning = 'results truncated due to limit';

export async function answerInstant({ params, tenant, abort, options, request }: Call): Promise<Answer> {
  const limit = params.limit();
  const timeMs = params.timeMs('time', options.now());
  const asked = {
    tenant,
    timeMs,
    timeoutMs: readTimeout(params),
    lookbackMs: readLookback(params),
    usesStartTimes: readStartTimes(request),
    query: params.text('query'),
    ...executionWishes(params),
    abort,
  };
  return limited(params, await asking(() => options.engine.instant(asked)), limit);
}

export async function answerRange({ params, tenant, abort, options, request }: Call): Promise<Answer> {
  const limit = params.limit();
  const startMs = params.timeMs('start');
  const endMs = params.timeMs('end');
  if (endMs < startMs) throw invalid('end', 'end timestamp must not be before start time');
  const stepMs = params.requiredDurationMs('step');
  if (stepMs <= 0) {
    throw invalid(
      'step',
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if (Math.floor((endMs - startMs) / stepMs) > options.stepsMax) {
    throw new RefusedError(
      `exceeded maximum resolution of ${options.stepsMax.toLocaleString('en')} points per timeseries. ` +
        'Try decreasing the query resolution (?step=XX)',
    );
  }
  const timeoutMs = readTimeout(params);
  const lookbackMs = readLookback(params);
  const usesStartTimes = readStartTimes(request);
  const type = expressionType(parseQuery(params));
  if (type === 'matrix' || type === 'string') {
    throw invalid(
      'query',
      `invalid expression type "${typeName(type)}" for range query, must be Scalar or instant Vector`,
    );
  }
  const asked = {
    tenant,
    startMs,
    endMs,
    stepMs,
    timeoutMs,
    lookbackMs,
    usesStartTimes,
    query: params.text('query'),
    ...executionWishes(params),
    abort,
  };
  return limited(params, await asking(() => options.engine.range(asked)), limit);
}

function readTimeout(params: PrometheusParams): number | undefined {
  const timeoutMs = params.durationMs('timeout');
  if (timeoutMs !== undefined && timeoutMs <= 0) {
    throw invalid('timeout', `timeout must be positive, got ${timeoutMs / 1000}s`);
  }
  return timeoutMs;
}

/** Zero stands for the default, as in Prometheus. */
function readLookback(params: PrometheusParams): number | undefined {
  const text = params.text('lookback_delta');
  if (text === '') return undefined;
  const duration = readDuration(text);
  if ('mistake' in duration) {
    throw new RefusedError(`error parsing lookback delta duration: ${duration.mistake}`);
  }
  return duration.ms <= 0 ? undefined : duration.ms;
}

/** Undefined where the request leaves it to the configuration. */
function readStartTimes({ headers }: FastifyRequest): boolean | undefined {
  const text = headers['x-prometheus-use-start-timestamps'];
  if (text === undefined || text === '') return undefined;
  const flag = typeof text === 'string' ? parseFlag(text) : undefined;
  if (flag !== undefined) return flag;
  throw new RefusedError(
    `error parsing X-Prometheus-Use-Start-Timestamps header: strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

/** A mistake in the query is worded as one of the parameter. */
async function asking(ask: () => Promise<QueryOutcome>): Promise<QueryOutcome> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ParseError) throw invalid('query', error.message);
    throw error;
  }
}

function limited(params: PrometheusParams, outcome: QueryOutcome, limit = Infinity): Answer {
  const { result } = outcome;
  const warnings: string[] = [];
  let shown = result;
  if (result.type === 'vector' && result.samples.length > limit) {
    shown = { ...result, samples: result.samples.slice(0, limit) };
  } else if (result.type === 'matrix' && result.series.length > limit) {
    shown = { ...result, series: result.series.slice(0, limit) };
  }
  if (shown !== result) warnings.push(truncatedWarning);
  const asked = params.text('stats');
  if (!['', 'true', 'all'].includes(asked)) {
    warnings.push(
      `value ${JSON.stringify(asked)} for parameter "stats" is deprecated and will be rejected in the next major release, use "true" or "all"`,
    );
  }
  const stats = asked === '' ? undefined : renderStats(outcome.stats);
  return outcomePieces({ ...outcome, result: shown }, warnings, stats);
}

/**
 * Prometheus's statistics. We parse before we queue and sort while we evaluate: these two times are 0. Statistics per step
 * need a feature flag there and are left out here, so that `all` says what `true` does.
 */
function renderStats({ queueSeconds, evaluationSeconds, samples }: QueryStats): string {
  return JSON.stringify({
    timings: {
      evalTotalTime: evaluationSeconds,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: evaluationSeconds,
      execQueueTime: queueSeconds,
      execTotalTime: queueSeconds + evaluationSeconds,
    },
    samples: {
      totalQueryableSamples: samples.queryable,
      samplesRead: samples.read,
      seriesTouched: samples.series,
      peakSamples: samples.peak,
    },
  });
}

/** Parses the query; a mistake in it is worded as one of the parameter, except where Prometheus does not name that. */
export function parseQuery(params: PrometheusParams, isNamed = true): Expression {
  try {
    return parsePromql(params.text('query'));
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    throw isNamed ? invalid('query', error.message) : new RefusedError(error.message);
  }
}

export async function answerFormat({ params }: Call): Promise<Answer> {
  return renderSuccess(JSON.stringify(prettifyPromql(parseQuery(params))));
}

export async function answerParse({ params }: Call): Promise<Answer> {
  return renderSuccess(renderExpression(parseQuery(params)));
}
