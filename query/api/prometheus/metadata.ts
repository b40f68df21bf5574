/**
 * What there is, by labels and time: labels, label values, series, metadata and exemplars.
 *
 *   GET /api/v1/label/job/values?match[]=up&start=1&end=2&limit=10
 */
import { RefusedError } from '#model/errors.ts';
import type { LabelMatcher } from '#model/labels.ts';
import { isLabelName } from '../../promql/metric-name.ts';
import { selectorsOf } from '../../promql/selectors.ts';
import type { TimeRange } from '../../promql/source.ts';
import { type PrometheusParams, unescapeName } from '../prometheus-params.ts';
import {
  listPieces,
  renderExemplars,
  renderMetric,
  renderSuccess,
  successPieces,
} from '../prometheus-reply.ts';
import type { Answer, Call } from './call.ts';
import { parseQuery, truncatedWarning } from './query.ts';

/** Exemplars in one answer: Prometheus keeps as many at most, by default. */
const exemplarsMax = 100_000;
/** Names, values or series in one answer, also without a limit in the request. */
const entriesMax = 1_000_000;

export async function answerExemplars({ params, source }: Call): Promise<Answer> {
  const range = params.range();
  if (range.endMs < range.startMs) throw new RefusedError('end timestamp must not be before start timestamp');
  const selectors = selectorsOf(parseQuery(params, false));
  // Prometheus has nothing to say about `1 + 1`.
  if (selectors.length === 0) return undefined;
  const lists = selectors.map(({ matchers }) => matchers);
  const found = await source.exemplars(lists, range, exemplarsMax);
  const count = found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
  const warnings = count < exemplarsMax ? [] : [truncatedWarning];
  return successPieces(listPieces(found, renderExemplars), warnings);
}

type Lists = readonly (readonly LabelMatcher[])[];

interface Limited<Entry> {
  readonly entries: readonly Entry[];
  readonly warnings: readonly string[];
}

/** Asks for one entry more than the limit, to know whether something was left out. */
async function limited<Entry>(
  params: PrometheusParams,
  isNamed: boolean,
  ask: (lists: Lists, range: TimeRange, limit: number) => Promise<Entry[]>,
): Promise<Limited<Entry>> {
  const limit = Math.min(params.limit() ?? entriesMax, entriesMax);
  const range = params.range();
  const entries = await ask(params.matchers('match[]', isNamed), range, limit + 1);
  if (entries.length <= limit) return { entries, warnings: [] };
  return { entries: entries.slice(0, limit), warnings: [truncatedWarning] };
}

export async function answerLabels({ params, source }: Call): Promise<Answer> {
  return renderTexts(
    await limited(params, false, (lists, range, limit) => source.labelNames(lists, range, limit)),
  );
}

export async function answerLabelValues({ params, source, request }: Call): Promise<Answer> {
  const name = unescapeName((request.params as { name: string }).name);
  if (!isLabelName(name)) throw new RefusedError(`invalid label name: ${JSON.stringify(name)}`);
  return renderTexts(
    await limited(params, false, (lists, range, limit) => source.labelValues(name, lists, range, limit)),
  );
}

function renderTexts({ entries, warnings }: Limited<string>): Answer {
  return successPieces(
    listPieces(entries, (text) => JSON.stringify(text)),
    warnings,
  );
}

export async function answerSeries({ params, source }: Call): Promise<Answer> {
  if (params.list('match[]').length === 0) throw new RefusedError('no match[] parameter provided');
  const { entries, warnings } = await limited(params, true, (lists, range, limit) =>
    source.series(lists, range, limit),
  );
  return successPieces(listPieces(entries, renderMetric), warnings);
}

/** One description per metric is kept, so that limit_per_metric cuts nothing off. */
export async function answerMetadata({ params, source }: Call): Promise<Answer> {
  const limit = readCount(params, 'limit');
  readCount(params, 'limit_per_metric');
  const metric = params.text('metric');
  const isNothing = limit !== undefined && limit === 0;
  const metadata = isNothing
    ? []
    : await source.metadata(metric === '' ? undefined : metric, Math.min(limit ?? entriesMax, entriesMax));
  const entries = metadata.map(
    ({ metric: name, type, help, unit }) =>
      `${JSON.stringify(name)}:[${JSON.stringify({ type, unit, help })}]`,
  );
  return renderSuccess(`{${entries.join(',')}}`);
}

/** Here 0 is nothing and less than 0 no limit, which is what undefined stands for. */
function readCount(params: PrometheusParams, name: string): number | undefined {
  const text = params.text(name);
  if (text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new RefusedError(`${name} must be a number`);
  return Number(text) < 0 ? undefined : Number(text);
}
