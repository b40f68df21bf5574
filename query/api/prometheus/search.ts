/**
 * Prometheus's search API: names and values that fit what a person has typed so far, as lines of JSON.
 *
 *   GET /api/v1/search/metric_names?search[]=http&limit=2
 *   {"results":[{"name":"http_requests_total"},{"name":"http_errors_total"}]}
 *   {"status":"success","has_more":true}
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import { metricNameLabel } from '#model/labels.ts';
import type { MetricMetadata } from '../../promql/source.ts';
import { sendPieces } from '../reply-stream.ts';
import { type Call, type PrometheusApiOptions, toCall } from './call.ts';
import { readSearch, type Search } from './search-params.ts';
import { createScorer } from './search-terms.ts';

/** Names that are looked through for one search: as many as labels and label values answer at most. */
const namesMax = 1_000_000;

interface Found {
  readonly text: string;
  readonly score: number;
}

type Render = (found: Found) => object;

export function addSearchRoutes(scope: FastifyInstance, options: PrometheusApiOptions): void {
  const route = (path: string, answer: (call: Call) => Promise<Iterable<string>>) =>
    scope.route({
      method: ['GET', 'POST'],
      url: `/api/v1/search/${path}`,
      handler: async (request: FastifyRequest, reply: FastifyReply) => {
        const lines = await answer(toCall(request, reply, options));
        return sendPieces(request, reply, 'application/x-ndjson; charset=utf-8', lines);
      },
    });
  route('metric_names', answerMetricNames);
  route('label_names', answerLabelNames);
  route('label_values', answerLabelValues);
}

async function answerMetricNames(call: Call): Promise<Iterable<string>> {
  const { params, source, options } = call;
  const search = readSearch(params, 'metric_names', options.now());
  const hasMetadata = params.flag(
    'include_metadata',
    false,
    (text) => new RefusedError(`invalid include_metadata ${JSON.stringify(text)}: must be boolean`),
  );
  const names = await source.labelValues(metricNameLabel, search.lists, search.range, namesMax);
  const found = select(names, search);
  if (!hasMetadata || found.shown.length === 0) return lines(found, search, ({ text }) => ({ name: text }));
  const known = new Map(
    (await source.metadata(undefined, namesMax)).map((metadata) => [metadata.metric, metadata]),
  );
  return lines(found, search, ({ text }) => ({ name: text, ...described(known, text) }));
}

async function answerLabelNames({ params, source, options }: Call): Promise<Iterable<string>> {
  const search = readSearch(params, 'label_names', options.now());
  const names = await source.labelNames(search.lists, search.range, namesMax);
  return lines(select(names, search), search, ({ text }) => ({ name: text }));
}

async function answerLabelValues({ params, source, options }: Call): Promise<Iterable<string>> {
  const search = readSearch(params, 'label_values', options.now());
  const label = params.text('label');
  if (label === '') throw new RefusedError('missing required parameter "label"');
  const values = await source.labelValues(label, search.lists, search.range, namesMax);
  return lines(select(values, search), search, ({ text }) => ({ value: text }));
}

interface Selected {
  readonly shown: readonly Found[];
  readonly hasMore: boolean;
}

/** `names` are sorted. */
function select(names: readonly string[], { terms, sortBy, isDescending, limit }: Search): Selected {
  const scoreOf = createScorer(terms);
  const found: Found[] = [];
  for (const text of names) {
    const score = scoreOf(text);
    if (score !== undefined) found.push({ text, score });
  }
  if (sortBy === 'score') found.sort((a, b) => b.score - a.score || (a.text < b.text ? -1 : 1));
  else if (isDescending) found.reverse();
  return { shown: found.slice(0, limit), hasMore: found.length > limit };
}

/** The first line is there even when nothing fits. */
function* lines({ shown, hasMore }: Selected, search: Search, render: Render): Generator<string> {
  const { batchSize, showsScore } = search;
  for (let start = 0; start === 0 || start < shown.length; start += batchSize) {
    const results = shown
      .slice(start, start + batchSize)
      .map((found) => withScore(render(found), showsScore ? found.score : undefined));
    yield `${JSON.stringify({ results })}\n`;
  }
  yield `${JSON.stringify({ status: 'success', has_more: hasMore })}\n`;
}

/** Behind the name, as Prometheus has it. */
function withScore(record: object, score: number | undefined): object {
  if (score === undefined) return record;
  const [[key, value] = ['', undefined], ...rest] = Object.entries(record);
  return { [key]: value, score, ...Object.fromEntries(rest) };
}

/** The types of families whose series have names with these endings. */
const suffixTypes: Readonly<Record<string, readonly string[]>> = {
  _total: ['counter'],
  _bucket: ['histogram', 'gaugehistogram'],
  _sum: ['histogram', 'gaugehistogram', 'summary'],
  _count: ['histogram', 'gaugehistogram', 'summary'],
  _gsum: ['gaugehistogram'],
  _gcount: ['gaugehistogram'],
  _info: ['info'],
};

function described(known: ReadonlyMap<string, MetricMetadata>, name: string): object {
  const metadata = known.get(name) ?? familyOf(known, name);
  if (metadata === undefined) return {};
  const { type, help, unit } = metadata;
  const isThere = ([, text]: readonly [string, string]) => text !== '';
  return Object.fromEntries(Object.entries({ type, help, unit }).filter(isThere));
}

function familyOf(known: ReadonlyMap<string, MetricMetadata>, name: string): MetricMetadata | undefined {
  const end = name.lastIndexOf('_');
  const suffix = end === -1 ? '' : name.slice(end);
  const family = known.get(name.slice(0, end));
  return family !== undefined && suffixTypes[suffix]?.includes(family.type) ? family : undefined;
}
