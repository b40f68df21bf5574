/** Groups of grids: what grid-read.ts computes for each series, put together by labels in the same statement. */
import { sortLabels } from '#model/labels.ts';
import { columnNamed, readBlocks } from '#store/native/block-reader.ts';
import { type Column, stringAt } from '#store/native/column.ts';
import type { GridGroup, GroupOperator, GroupRequest } from '../promql/pushed/pushed-source.ts';
import { gridFunctions } from './grid-functions.ts';
import { decodeGrids, gridParams, gridSql, wordsOf } from './grid-read.ts';
import { matchersSql } from './matcher-sql.ts';
import type { MetricRead } from './metric-read.ts';
import { type Selection, selectionSql } from './metric-selection.ts';

const counted = (value: string) => `arrayMap(c -> if(c = 0, NULL, ${value}), countForEach(grid))`;

/** Values where no series has one are NULL. */
const groupAggregates: Readonly<Record<GroupOperator, string>> = {
  count: counted('toFloat64(c)'),
  group: counted('toFloat64(1)'),
  min: 'minForEach(grid)',
  max: 'maxForEach(grid)',
  sum: 'sumForEach(grid)',
  avg: 'avgForEach(grid)',
};

/** 0x7ff0000000000002, where the newest sample says that the series is gone. */
const withoutStale =
  'arrayMap(x -> if(reinterpretAsUInt64(assumeNotNull(x)) = 9218868437227405314, NULL, x), r)';
/** NaN, and which of 0 and -0 comes first: the engine has an order of its own. */
const oddValue =
  'arrayExists(x -> isNotNull(x) AND (isNaN(x) OR reinterpretAsUInt64(assumeNotNull(x)) = 9223372036854775808), grid)';

export async function* readGroups(
  read: MetricRead,
  selection: Selection,
  request: GroupRequest,
  settings: Readonly<Record<string, number>>,
  abort: AbortSignal,
): AsyncGenerator<GridGroup> {
  const { grid, operator, by } = request;
  const where = selectionSql(selection, selection.series);
  const matched = matchersSql(selection.matchers, 'group_');
  const values = gridFunctions[grid.function].keepsStale ? withoutStale : 'r';
  const oddity = operator === 'count' || operator === 'group' ? '' : ` OR max(${oddValue}) = 1`;
  const sql = `SELECT g, sum(samples) AS n, count() AS series, max(is_odd) = 1${oddity} AS is_suspect,
    ${groupAggregates[operator]} AS r
  FROM (SELECT id, n AS samples, is_suspect AS is_odd, ${values} AS grid FROM (${gridSql(grid, where.sql)})) AS grids
  INNER JOIN (
    SELECT id, any(arrayMap(name -> toString(labels[name]), {by:Array(String)})) AS g
    FROM series WHERE ${matched.sql} GROUP BY id
  ) AS named USING id
  GROUP BY g ORDER BY minIf(id, arrayExists(x -> isNotNull(x), grid))`;
  const params = { ...where.params, ...matched.params, ...gridParams(grid), by };
  for await (const bytes of read.stream(sql, params, abort, settings)) {
    for (const block of readBlocks(bytes)) {
      const grids = decodeGrids(block);
      const seriesCounts = wordsOf(columnNamed(block, 'series'));
      const texts = listsOf(columnNamed(block, 'g'));
      for (const [row, found] of grids.entries()) {
        const labels = sortLabels(by.map((name, i) => [name, texts[row][i]] as const));
        yield { labels, ...found, seriesCount: seriesCounts[2 * row] };
      }
    }
  }
}

function listsOf(column: Column): string[][] {
  if (column.kind !== 'array' || column.items.kind !== 'string') {
    throw new Error(`BUG: lists of texts came as ${column.kind}`);
  }
  const { ends, items } = column;
  return Array.from(ends, (end, row) => {
    const start = row === 0 ? 0 : ends[row - 1];
    return Array.from({ length: end - start }, (_, i) => stringAt(items, start + i));
  });
}
