/** The parameters that Prometheus's search endpoints share, with its bounds, defaults and words. */
import { RefusedError } from '#model/errors.ts';
import type { LabelMatcher } from '#model/labels.ts';
import type { TimeRange } from '../../promql/source.ts';
import { type PrometheusParams, unprefixed } from '../prometheus-params.ts';
import { type FuzzyAlgorithm, fuzzyAlgorithms, type SearchTerms } from './search-terms.ts';

export interface Search {
  readonly lists: readonly (readonly LabelMatcher[])[];
  readonly range: TimeRange;
  readonly terms: SearchTerms;
  readonly sortBy: string;
  readonly isDescending: boolean;
  readonly showsScore: boolean;
  readonly limit: number;
  /** Results in one line. */
  readonly batchSize: number;
}

const hourMs = 3_600_000;
const termsMax = 32;
const limitDefault = 100;
const limitMax = 10_000;
const batchSizeDefault = 100;
const batchSizeMax = 1000;

/** Throws RefusedError (400). Without times it is the last hour. */
export function readSearch(params: PrometheusParams, endpoint: string, nowMs: number): Search {
  const range = unprefixed(() => ({
    startMs: params.timeMs('start', nowMs - hourMs),
    endMs: params.timeMs('end', nowMs),
  }));
  if (range.endMs < range.startMs) {
    throw new RefusedError('end timestamp must not be before start timestamp');
  }
  const lists = params.matchers('match[]', false);
  const terms = params.list('search[]');
  if (terms.length > termsMax) {
    throw new RefusedError(`too many search[] terms: got ${terms.length}, maximum is ${termsMax}`);
  }
  const threshold = readThreshold(params);
  const algorithm = readAlgorithm(params);
  const isCaseSensitive = readFlag(params, 'case_sensitive', true);
  const showsScore = readFlag(params, 'include_score', false);
  const { sortBy, isDescending } = readOrder(params, endpoint, terms.length > 0);
  const limit = readCount(params, 'limit', limitDefault);
  if (limit > limitMax) {
    throw new RefusedError(`limit ${limit} exceeds the configured maximum (${limitMax})`);
  }
  const batchSize = Math.min(readCount(params, 'batch_size', batchSizeDefault), limit, batchSizeMax);
  return {
    lists,
    range,
    terms: { terms, algorithm, threshold, isCaseSensitive },
    sortBy,
    isDescending,
    showsScore,
    limit,
    batchSize,
  };
}

function readThreshold(params: PrometheusParams): number {
  const text = params.text('fuzz_threshold');
  if (text === '') return 0;
  if (!/^\+?\d{1,3}$/.test(text) || Number(text) > 100) {
    throw new RefusedError(`invalid fuzz_threshold ${JSON.stringify(text)}: must be 0-100`);
  }
  return Number(text) / 100;
}

function readAlgorithm(params: PrometheusParams): FuzzyAlgorithm {
  const text = params.text('fuzz_alg');
  if (text === '') return 'subsequence';
  const found = fuzzyAlgorithms.find((algorithm) => algorithm === text);
  if (found !== undefined) return found;
  throw new RefusedError(
    `unsupported fuzz_alg ${JSON.stringify(text)}: must be one of [${fuzzyAlgorithms.join(' ')}]`,
  );
}

function readFlag(params: PrometheusParams, name: string, missing: boolean): boolean {
  return params.flag(
    name,
    missing,
    (text) => new RefusedError(`invalid ${name} ${JSON.stringify(text)}: must be boolean`),
  );
}

function readOrder(
  params: PrometheusParams,
  endpoint: string,
  hasTerms: boolean,
): { sortBy: string; isDescending: boolean } {
  const sortBy = params.text('sort_by');
  const direction = params.text('sort_dir');
  if (direction !== '' && sortBy === '') throw new RefusedError('sort_dir is only valid when sort_by is set');
  if (direction !== '' && sortBy === 'score') {
    throw new RefusedError('sort_dir is not supported for sort_by=score');
  }
  if (!['', 'asc', 'dsc'].includes(direction)) {
    throw new RefusedError(`invalid sort_dir ${JSON.stringify(direction)}: must be "asc" or "dsc"`);
  }
  if (sortBy === 'score' && !hasTerms) {
    throw new RefusedError('sort_by=score requires search[] to be set');
  }
  if (!['', 'alpha', 'score'].includes(sortBy)) {
    throw new RefusedError(
      `invalid sort_by ${JSON.stringify(sortBy)} for ${endpoint}: must be "alpha" or "score"`,
    );
  }
  return { sortBy, isDescending: direction === 'dsc' };
}

function readCount(params: PrometheusParams, name: string, missing: number): number {
  const text = params.text(name);
  if (text === '') return missing;
  if (!/^\+?\d{1,15}$/.test(text) || Number(text) === 0) {
    throw new RefusedError(`invalid ${name} ${JSON.stringify(text)}: must be a positive integer`);
  }
  return Number(text);
}
