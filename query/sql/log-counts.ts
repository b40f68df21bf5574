/** Counts lines or bytes per label set and cell of time, in SQL. */
import { LimitError, RefusedError } from '#model/errors.ts';
import { type Labels, sortLabels } from '#model/labels.ts';
import type { LogCount, LogCountRequest } from '../logql/source.ts';
import {
  duplicateSuffix,
  labelSql,
  type RecordLabels,
  recordLabelsSql,
  toStream,
  toStructuredMetadata,
} from './log-labels.ts';
import type { LogRead } from './log-read.ts';
import { filterWhere, joinAnd, matcherWhere, timeWhere } from './log-where.ts';

/** Cells of one count: they are held in memory, some 300 bytes each. */
const cellsMax = 1_000_000;

interface CountRow {
  readonly cell: string;
  readonly total: string;
}

/** Resolves with each pair of labels and cell once. Rejects with LimitError where there are more than samplesMax. */
export async function readCounts(
  read: LogRead,
  request: LogCountRequest,
  samplesMax: number,
  abort?: AbortSignal,
): Promise<LogCount[]> {
  const { groupBy } = request;
  const limit = Math.min(samplesMax, cellsMax);
  const { labels, params } = groupBy === undefined ? allLabels : groupLabels(groupBy);
  // Left-open, right-closed: the range of the condition is the other way round.
  const start = BigInt(request.startUnixNano) + 1n;
  const time = timeWhere(start, BigInt(request.endUnixNano) + 1n);
  const matchers = matcherWhere(request.matchers);
  const filters = filterWhere(request.lineFilters);
  // Cells before 1970 are empty: counting from the first that is not keeps the numbers within 64 bits.
  const width = BigInt(request.cellNano);
  const cellsSkipped = start < 0n ? -start / width : 0n;
  const measure = request.measure === 'lines' ? 'count()' : 'sum(length(body))';
  const rows = await read<CountRow & Partial<RecordLabels> & { group_values?: string[] }>(
    `SELECT intDiv(toUnixTimestamp64Nano(ts) - {origin:Int64}, {width:Int64}) AS cell, ${labels.sql}, ${measure} AS total
     FROM logs WHERE ${joinAnd([time.sql, matchers.sql, filters.sql])}
     GROUP BY cell, ${labels.columns} LIMIT {limit:UInt32}`,
    {
      ...params,
      ...time.params,
      ...matchers.params,
      ...filters.params,
      origin: String(start + cellsSkipped * width),
      width: request.cellNano,
      limit: limit + 1,
    },
    abort,
  );
  if (rows.length > limit) {
    throw new LimitError(`the query counts more than ${limit} samples`, 'query.samples_max');
  }
  return mergeEqual(
    rows.map((row) => ({
      labels:
        groupBy === undefined
          ? recordLabels(row as unknown as RecordLabels)
          : named(groupBy, row.group_values),
      cell: Number(BigInt(row.cell) + cellsSkipped),
      value: Number(row.total),
    })),
  );
}

const allLabels = {
  labels: {
    sql: recordLabelsSql,
    columns: 'stream_values, column_values, label_names, label_values, attr_names, attr_values',
  },
  params: {},
};

function groupLabels(names: readonly string[]) {
  const params: Record<string, string> = {};
  const values = names.map((name, i) => {
    if (name.endsWith(duplicateSuffix)) throw new RefusedError(`grouping by ${name} is not supported yet`);
    const sql = labelSql(name, `g${i}`);
    if (sql.includes(`{g${i}:`)) params[`g${i}`] = name;
    return sql;
  });
  const sql = `CAST([${values.join(', ')}], 'Array(String)') AS group_values`;
  return { labels: { sql, columns: 'group_values' }, params };
}

function named(names: readonly string[], values: readonly string[] = []): Labels {
  return sortLabels(new Map(names.map((name, i) => [name, values[i]])));
}

function recordLabels(row: RecordLabels): Labels {
  return sortLabels([...toStream(row), ...toStructuredMetadata(row)]);
}

/** Rows that differ only in what becomes no label, such as the order of attributes, are one. */
function mergeEqual(counts: readonly LogCount[]): LogCount[] {
  const merged = new Map<string, LogCount>();
  for (const count of counts) {
    const key = `${count.cell} ${JSON.stringify(count.labels)}`;
    const before = merged.get(key);
    merged.set(key, before === undefined ? count : { ...count, value: before.value + count.value });
  }
  return [...merged.values()];
}
