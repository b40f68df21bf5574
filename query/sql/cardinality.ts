/**
 * How many series there are, and which metrics, labels and values make them: from `series`, and from `label_values`
 * where that suffices.
 *
 *   {metric up, labels job=a} and {metric up, labels job=b}
 *     ->  metrics: up 2 series;  labels: job 2 values, __name__ 1;  pairs: __name__=up 2 series, job=a 1, job=b 1
 */
import { type LabelMatcher, metricNameLabel } from '#model/labels.ts';
import type { QueryParams, Store } from '#store/store.ts';
import type { TimeRange } from '../promql/source.ts';
import { matcherListsSql } from './matcher-sql.ts';
import { createMetricRead, type MetricRead } from './metric-read.ts';
import { timeSql } from './series.ts';

export interface CardinalityQuery {
  /** Any of the lists must hold; every series where there is no list. */
  readonly lists: readonly (readonly LabelMatcher[])[];
  /** Series that have samples in it, to two hours: so exact are the first and last times of a series. */
  readonly range: TimeRange;
}

export interface CardinalityTotals {
  readonly seriesCount: number;
  /** Distinct pairs of label and value, the metric's name among them. */
  readonly pairCount: number;
  /** First and last time of the series; undefined where there is none. */
  readonly range: TimeRange | undefined;
}

export interface MetricCardinality {
  readonly name: string;
  readonly seriesCount: number;
}

export interface LabelCardinality {
  readonly name: string;
  readonly valueCount: number;
}

export interface LabelCardinalities {
  readonly labels: readonly LabelCardinality[];
  /** Over all labels, also those beyond the limit. */
  readonly nameCount: number;
  readonly valueCountTotal: number;
}

export interface PairCardinality {
  readonly name: string;
  readonly value: string;
  readonly seriesCount: number;
}

/** One label's values, those of most series first. */
export interface ValueCardinality {
  readonly name: string;
  readonly valueCount: number;
  /** Series that have the label. */
  readonly seriesCount: number;
  readonly values: readonly { readonly value: string; readonly seriesCount: number }[];
}

/** Lists are sorted by count, the larger first, then by name. Rejects with StoreError and RefusedError. */
export interface CardinalitySource {
  totals(query: CardinalityQuery, abort?: AbortSignal): Promise<CardinalityTotals>;
  metrics(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<MetricCardinality[]>;
  labels(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<LabelCardinalities>;
  pairs(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<PairCardinality[]>;
  /** Bytes that the values of each label take over all series: what Prometheus calls its memory. */
  valueBytes(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<LabelCardinality[]>;
  values(
    names: readonly string[],
    query: CardinalityQuery,
    limit: number,
    abort?: AbortSignal,
  ): Promise<ValueCardinality[]>;
}

interface Selection {
  readonly where: string;
  readonly params: QueryParams;
}

/** The name of a metric is a label like any other here. */
const labelPairs = `arrayPushFront(
  arrayZip(arrayMap(k -> toString(k), mapKeys(labels)), mapValues(labels)), ('${metricNameLabel}', toString(metric)))`;

/** Rows of `series` that were not merged yet are one series: FINAL takes their first and last time together. */
function pairsOf({ where }: Selection): string {
  return `SELECT pair.1 AS name, pair.2 AS value FROM series FINAL ARRAY JOIN ${labelPairs} AS pair WHERE ${where}`;
}

export function createCardinalitySource(store: Store, tenant: string): CardinalitySource {
  return new StoredCardinality(createMetricRead(store, tenant));
}

class StoredCardinality implements CardinalitySource {
  readonly #read: MetricRead;

  constructor(read: MetricRead) {
    this.#read = read;
  }

  async totals(query: CardinalityQuery, abort?: AbortSignal): Promise<CardinalityTotals> {
    const selection = select(query);
    const [series] = await this.#rows<{ n: string; first: number; last: number }>(
      `SELECT count() AS n, toUnixTimestamp(min(t_min)) AS first, toUnixTimestamp(max(t_max)) AS last
       FROM series FINAL WHERE ${selection.where}`,
      selection.params,
      abort,
    );
    const [pairs] = await this.#rows<{ n: string }>(
      `SELECT uniqExact(name, value) AS n FROM (${pairsOf(selection)})`,
      selection.params,
      abort,
    );
    const seriesCount = Number(series?.n ?? 0);
    const range =
      series === undefined || seriesCount === 0
        ? undefined
        : { startMs: series.first * 1000, endMs: series.last * 1000 };
    return { seriesCount, pairCount: Number(pairs?.n ?? 0), range };
  }

  async metrics(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<MetricCardinality[]> {
    const { where, params } = select(query);
    const found = await this.#rows<{ name: string; n: string }>(
      `SELECT metric AS name, count() AS n FROM series FINAL WHERE ${where}
       GROUP BY metric ORDER BY n DESC, name LIMIT {rowsMax:UInt64}`,
      { ...params, rowsMax: limit },
      abort,
    );
    return found.map(({ name, n }) => ({ name, seriesCount: Number(n) }));
  }

  async labels(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<LabelCardinalities> {
    const selection = select(query);
    const from =
      query.lists.length === 0
        ? `SELECT name, value FROM label_values WHERE ${timeSql(query.range).sql}`
        : pairsOf(selection);
    // One row at least, or the totals would be cut off with the rest.
    const found = await this.#rows<{ name: string; n: string; names: string; total: string }>(
      `SELECT name, n, count() OVER () AS names, sum(n) OVER () AS total
       FROM (SELECT name, uniqExact(value) AS n FROM (${from}) GROUP BY name)
       ORDER BY n DESC, name LIMIT {rowsMax:UInt64}`,
      { ...selection.params, rowsMax: Math.max(1, limit) },
      abort,
    );
    return {
      labels: found.slice(0, limit).map(({ name, n }) => ({ name, valueCount: Number(n) })),
      nameCount: Number(found[0]?.names ?? 0),
      valueCountTotal: Number(found[0]?.total ?? 0),
    };
  }

  async pairs(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<PairCardinality[]> {
    const selection = select(query);
    const found = await this.#rows<{ name: string; value: string; n: string }>(
      `SELECT name, value, count() AS n FROM (${pairsOf(selection)})
       GROUP BY name, value ORDER BY n DESC, name, value LIMIT {rowsMax:UInt64}`,
      { ...selection.params, rowsMax: limit },
      abort,
    );
    return found.map(({ name, value, n }) => ({ name, value, seriesCount: Number(n) }));
  }

  async valueBytes(query: CardinalityQuery, limit: number, abort?: AbortSignal): Promise<LabelCardinality[]> {
    const selection = select(query);
    const found = await this.#rows<{ name: string; n: string }>(
      `SELECT name, sum(length(value)) AS n FROM (${pairsOf(selection)})
       GROUP BY name ORDER BY n DESC, name LIMIT {rowsMax:UInt64}`,
      { ...selection.params, rowsMax: limit },
      abort,
    );
    return found.map(({ name, n }) => ({ name, valueCount: Number(n) }));
  }

  async values(
    names: readonly string[],
    query: CardinalityQuery,
    limit: number,
    abort?: AbortSignal,
  ): Promise<ValueCardinality[]> {
    const selection = select(query);
    const found = await this.#rows<{
      name: string;
      value: string;
      n: string;
      values: string;
      series: string;
    }>(
      `SELECT name, value, n, count() OVER (PARTITION BY name) AS values, sum(n) OVER (PARTITION BY name) AS series
       FROM (SELECT name, value, count() AS n FROM (${pairsOf(selection)})
         WHERE has({names:Array(String)}, name) GROUP BY name, value)
       ORDER BY series DESC, name, n DESC, value LIMIT {rowsMax:UInt64} BY name`,
      { ...selection.params, names, rowsMax: Math.max(1, limit) },
      abort,
    );
    const labels = new Map<string, ValueCardinality & { values: { value: string; seriesCount: number }[] }>();
    for (const { name, value, n, values, series } of found) {
      const label = labels.get(name) ?? {
        name,
        valueCount: Number(values),
        seriesCount: Number(series),
        values: [],
      };
      if (label.values.length < limit) label.values.push({ value, seriesCount: Number(n) });
      labels.set(name, label);
    }
    return [...labels.values()];
  }

  #rows<Row>(sql: string, params: QueryParams, abort: AbortSignal | undefined): Promise<Row[]> {
    return this.#read.rows<Row>(sql, params, abort);
  }
}

function select({ lists, range }: CardinalityQuery): Selection {
  const matched = matcherListsSql(lists);
  const time = timeSql(range);
  return { where: `${matched.sql} AND ${time.sql}`, params: { ...matched.params, ...time.params } };
}
