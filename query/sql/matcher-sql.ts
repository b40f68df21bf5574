/**
 * Label matchers as conditions on the `series` table. Values are bound, never written into the text.
 *
 *   {__name__="up", job=~"a.*"}  ->  metric = {m0:String} AND match(labels[{k1:String}], {m1:String})
 *
 * A label that a series lacks is '', as in Prometheus: the map answers '' too. Patterns are RE2, match the whole
 * value, and their dots match newlines.
 */
import { type LabelMatcher, metricNameLabel } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';

export interface MatcherSql {
  readonly sql: string;
  readonly params: QueryParams;
}

/** All matchers must hold. `prefix` keeps the parameters of several lists in one query apart. */
export function matchersSql(matchers: readonly LabelMatcher[], prefix = ''): MatcherSql {
  const params: Record<string, string> = {};
  const conditions = matchers.map((matcher, i) => {
    const value = `${prefix}m${i}`;
    if (matcher.name === metricNameLabel) return comparison('metric', matcher, value, params);
    const key = `${prefix}k${i}`;
    params[key] = matcher.name;
    const condition = comparison(`labels[{${key}:String}]`, matcher, value, params);
    if (matcher.op !== '=' || matcher.value === '') return condition;
    // The text index on kv finds the rows; the map decides, because a name may hold "=".
    const pair = `${prefix}p${i}`;
    params[pair] = `${matcher.name}=${matcher.value}`;
    return `has(kv, {${pair}:String}) AND ${condition}`;
  });
  return { sql: conditions.length === 0 ? '1' : conditions.join(' AND '), params };
}

/** Any of the lists must hold; everything where there is no list. */
export function matcherListsSql(lists: readonly (readonly LabelMatcher[])[]): MatcherSql {
  if (lists.length === 0) return { sql: '1', params: {} };
  const parts = lists.map((matchers, i) => matchersSql(matchers, `l${i}_`));
  return {
    sql: `(${parts.map(({ sql }) => `(${sql})`).join(' OR ')})`,
    params: Object.assign({}, ...parts.map(({ params }) => params)),
  };
}

function comparison(
  column: string,
  { op, value }: LabelMatcher,
  name: string,
  params: Record<string, string>,
): string {
  if (op === '=' || op === '!=') {
    params[name] = value;
    return `${column} ${op} {${name}:String}`;
  }
  params[name] = `^(?s:${value})$`;
  return `${op === '!~' ? 'NOT ' : ''}match(${column}, {${name}:String})`;
}
