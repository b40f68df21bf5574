/** Answers LogSource from ClickHouse's `logs`. The store adds the tenant to every read; every value is a parameter. */
import { LimitError } from '#model/errors.ts';
import type { LabelMatcher, Labels } from '#model/labels.ts';
import type { QueryParams, Store } from '#store/store.ts';
import type { LogCount, LogCountRequest, LogEntry, LogRequest, LogSource } from '../logql/source.ts';
import { readCounts } from './log-counts.ts';
import {
  indexedLabelNames,
  indexedValuesSql,
  plainNamesSql,
  type RecordLabels,
  recordLabelsSql,
  type StreamRow,
  streamLabelSql,
  streamSql,
  toStream,
  toStructuredMetadata,
} from './log-labels.ts';
import { createLogRead, type LogRead } from './log-read.ts';
import { filterWhere, joinAnd, type LogWhere, matcherWhere, timeWhere } from './log-where.ts';

export interface LogSourceLimits {
  /** Cells of one count (query.samples_max). */
  readonly samplesMax: number;
  /** Streams that a series request may list (query.series_max). */
  readonly seriesMax: number;
}

/** Values that one label-values reply lists. */
const labelValuesMax = 10_000;
/** Names that one labels reply lists, beside the indexed ones. */
const labelNamesMax = 10_000;
/** Returns the logs of one tenant. Calls reject with StoreError, LimitError, or ParseError on a pattern RE2 refuses. */
export function createLogSource(store: Store, tenant: string, limits: LogSourceLimits): LogSource {
  const read = createLogRead(store, tenant);
  return {
    select: (request, abort) => select(read, request, abort),
    count: (request: LogCountRequest, abort): Promise<LogCount[]> =>
      readCounts(read, request, limits.samplesMax, abort),
    labelNames: (matchers, start, end) => labelNames(read, matchers, [BigInt(start), BigInt(end)]),
    labelValues: (name, matchers, start, end) =>
      labelValues(read, name, matchers, [BigInt(start), BigInt(end)]),
    series: (matchers, start, end) => series(read, matchers, [BigInt(start), BigInt(end)], limits.seriesMax),
  };
}

const minuteNano = 60_000_000_000n;
/** A few lines are usually found near the end of the range: later steps read more, the last one all that is left. */
const windowsNano = [minuteNano, 5n * minuteNano, 30n * minuteNano, 240n * minuteNano];

interface EntryRow extends RecordLabels {
  readonly nano: string;
  readonly body: string;
}

async function select(read: LogRead, request: LogRequest, abort?: AbortSignal): Promise<LogEntry[]> {
  const isBackward = request.direction === 'backward';
  const entries: LogEntry[] = [];
  let [start, end] = [BigInt(request.startUnixNano), BigInt(request.endUnixNano)];
  for (let step = 0; start < end && entries.length < request.limit; step++) {
    const width = windowsNano[step] ?? end - start;
    const isLast = width >= end - start;
    const from = isBackward && !isLast ? end - width : start;
    const to = isBackward || isLast ? end : start + width;
    const rows = await selectWindow(read, request, [from, to], request.limit - entries.length, abort);
    for (const row of rows) entries.push(toEntry(row));
    if (isLast) break;
    if (isBackward) end = from;
    else start = to;
  }
  return entries;
}

function selectWindow(
  read: LogRead,
  request: LogRequest,
  [from, to]: readonly [bigint, bigint],
  limit: number,
  abort?: AbortSignal,
): Promise<EntryRow[]> {
  const where = mergeWhere(
    timeWhere(from, to),
    matcherWhere(request.matchers),
    filterWhere(request.lineFilters),
  );
  const order = request.direction === 'backward' ? 'DESC' : 'ASC';
  return read<EntryRow>(
    `SELECT toUnixTimestamp64Nano(ts) AS nano, body, ${recordLabelsSql} FROM logs WHERE ${where.sql}
     ORDER BY ts ${order} LIMIT {limit:UInt32}`,
    { ...where.params, limit },
    abort,
  );
}

function toEntry(row: EntryRow): LogEntry {
  return {
    timeUnixNano: row.nano,
    stream: toStream(row),
    structuredMetadata: toStructuredMetadata(row),
    line: row.body,
  };
}

function mergeWhere(...parts: readonly LogWhere[]): LogWhere {
  return {
    sql: joinAnd(parts.map((part) => part.sql)),
    params: Object.assign({}, ...parts.map((part) => part.params)) as QueryParams,
  };
}

async function labelNames(
  read: LogRead,
  matchers: readonly LabelMatcher[],
  [start, end]: readonly [bigint, bigint],
): Promise<string[]> {
  const { sql, params } = mergeWhere(timeWhere(start, end), matcherWhere(matchers));
  const [row] = await read<{ present: number[]; plain: string[] }>(
    `SELECT maxForEach(arrayMap(v -> toUInt8(v != ''), ${indexedValuesSql})) AS present,
       groupUniqArrayArray(${labelNamesMax})(${plainNamesSql}) AS plain
     FROM logs WHERE ${sql}`,
    params,
  );
  const indexed = indexedLabelNames.filter((_, i) => row?.present[i] === 1);
  return [...new Set([...indexed, ...(row?.plain ?? [])])].sort();
}

async function labelValues(
  read: LogRead,
  name: string,
  matchers: readonly LabelMatcher[],
  [start, end]: readonly [bigint, bigint],
): Promise<string[]> {
  const { sql: label, takesName } = streamLabelSql(name, 'name');
  const { sql, params } = mergeWhere(timeWhere(start, end), matcherWhere(matchers));
  const rows = await read<{ value: string }>(
    `SELECT DISTINCT ${label} AS value FROM logs WHERE ${sql} AND ${label} != ''
     ORDER BY value LIMIT {limit:UInt32}`,
    { ...params, ...(takesName ? { name } : {}), limit: labelValuesMax },
  );
  return rows.map((row) => row.value);
}

async function series(
  read: LogRead,
  matchers: readonly (readonly LabelMatcher[])[],
  [start, end]: readonly [bigint, bigint],
  seriesMax: number,
): Promise<Labels[]> {
  const time = timeWhere(start, end);
  const lists = matchers.map((list, i) => matcherWhere(list, `m${i}_`));
  const anyList = lists.length === 0 ? '1' : lists.map(({ sql }) => `(${sql})`).join(' OR ');
  const { params } = mergeWhere(time, ...lists);
  const rows = await read<StreamRow>(
    `SELECT DISTINCT ${streamSql} FROM logs WHERE ${time.sql} AND (${anyList})
     ORDER BY stream_values, label_names, label_values LIMIT {limit:UInt32}`,
    { ...params, limit: seriesMax + 1 },
  );
  if (rows.length > seriesMax) {
    throw new LimitError(`the selectors match more than ${seriesMax} streams`, 'query.series_max');
  }
  // Rows that differ only in the order of attributes are one stream.
  const streams = new Map(rows.map(toStream).map((stream) => [JSON.stringify(stream), stream]));
  return [...streams.values()];
}
