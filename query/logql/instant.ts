/** LogQL behind the instant query that rules and scaling signals use. */
import { RefusedError } from '#model/errors.ts';
import type { InstantQuery } from '../instant.ts';
import { evaluateMetric } from './engine.ts';
import { parseLogql } from './parser.ts';
import type { LogSource } from './source.ts';

/** Loki's words for a log query where a value is needed. */
export const logInstantMessage =
  'log queries are not supported as an instant query type, please change your query to a range query type';

export interface LogqlInstantOptions {
  /** The logs of one tenant. */
  readonly source: (tenant: string) => LogSource;
  readonly seriesMax: number;
}

/** Returns the query. It rejects with ParseError, LimitError, StoreError, and RefusedError on a query for lines. */
export function createLogqlInstantQuery({ source, seriesMax }: LogqlInstantOptions): InstantQuery {
  return async ({ tenant, query, timeMs, abort }) => {
    const expr = parseLogql(query);
    if (expr.kind === 'log') throw new RefusedError(logInstantMessage);
    const times = { startUnixNano: BigInt(Math.round(timeMs)) * 1_000_000n, stepNano: 1n, count: 1 };
    const result = await evaluateMetric({
      expr,
      times,
      source: source(tenant),
      seriesMax,
      ...(abort === undefined ? {} : { abort }),
    });
    if (typeof result === 'number') return [{ labels: [], value: result }];
    return result.flatMap(({ labels, values }) =>
      values[0] === undefined ? [] : [{ labels, value: values[0] }],
    );
  };
}
