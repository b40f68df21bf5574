/**
 * A log selection as SQL: conditions with bound values only, and the time range to the nanosecond.
 *
 *   {service_name="a"} |= "100%"  ->  service = {m0:String} AND body LIKE {f0_0:String}, m0 "a", f0_0 "%100\%%"
 */
import type { LabelMatcher } from '#model/labels.ts';
import type { QueryParams } from '#store/store.ts';
import type { LineFilter } from '../logql/source.ts';
import { streamLabelSql } from './log-labels.ts';

export interface LogWhere {
  readonly sql: string;
  readonly params: QueryParams;
}

/** DateTime64(9) ends in 2262. */
const nanoMax = 2n ** 63n - 1n;

/** `start` is inclusive, `end` exclusive; both nanoseconds since 1970. */
export function timeWhere(start: bigint, end: bigint): LogWhere {
  return {
    sql: `ts >= fromUnixTimestamp64Nano({start:Int64}, 'UTC') AND ts < fromUnixTimestamp64Nano({end:Int64}, 'UTC')`,
    params: { start: String(clamp(start)), end: String(clamp(end)) },
  };
}

function clamp(nano: bigint): bigint {
  return nano < 0n ? 0n : nano > nanoMax ? nanoMax : nano;
}

/** `prefix` keeps the parameters of several matcher lists in one query apart. */
export function matcherWhere(matchers: readonly LabelMatcher[], prefix = 'm'): LogWhere {
  const params: Record<string, string> = {};
  const conditions = matchers.map(({ name, op, value }, i) => {
    const parameter = `${prefix}${i}`;
    const { sql: label, takesName } = streamLabelSql(name, `${parameter}_name`);
    if (takesName) params[`${parameter}_name`] = name;
    if (op === '=' || op === '!=') {
      params[parameter] = value;
      return `${label} ${op} {${parameter}:String}`;
    }
    // Loki and Prometheus anchor label patterns and let . match a newline.
    params[parameter] = `^(?s:${value})$`;
    return `${op === '!~' ? 'NOT ' : ''}match(${label}, {${parameter}:String})`;
  });
  return { sql: joinAnd(conditions), params };
}

export function filterWhere(filters: readonly LineFilter[]): LogWhere {
  const params: Record<string, string> = {};
  const conditions = filters.map(({ op, values }, i) => {
    const alternatives = values.map((value, j) => {
      const parameter = `f${i}_${j}`;
      const isPattern = op === '|~' || op === '!~';
      params[parameter] = isPattern ? linePattern(value) : likePattern(value);
      return isPattern ? `match(body, {${parameter}:String})` : `body LIKE {${parameter}:String}`;
    });
    return `${op.startsWith('!') ? 'NOT ' : ''}(${alternatives.join(' OR ')})`;
  });
  return { sql: joinAnd(conditions), params };
}

/** LIKE and not position(): the n-gram index on body serves only LIKE. */
function likePattern(text: string): string {
  return `%${text.replace(/[\\%_]/g, '\\$&')}%`;
}

/** ClickHouse lets . match a newline, Loki does not in lines. Patterns without a dot keep the index's favour. */
function linePattern(pattern: string): string {
  return pattern.includes('.') ? `(?-s:${pattern})` : pattern;
}

export function joinAnd(conditions: readonly string[]): string {
  return conditions.length === 0 ? '1' : conditions.join(' AND ');
}
