/** A query that ran out of its time; Prometheus calls it a timeout and not an unavailable server. */
import { UnavailableError } from '#model/errors.ts';
import type { PromqlLimits } from './query-budget.ts';

export class QueryTimeoutError extends UnavailableError {
  constructor(fact: string, options?: ErrorOptions) {
    super(`query timed out in ${fact}`, options);
    this.name = 'QueryTimeoutError';
  }
}

/** Says which limit it was: Prometheus's words, and the option that raises it. `wishedMs` is what the request asked for. */
export function queryTimeout(
  { timeoutMs, concurrency }: PromqlLimits,
  wishedMs: number | undefined,
  hasBegun: boolean,
  cause: unknown,
): QueryTimeoutError {
  const isWish = wishedMs !== undefined && wishedMs < timeoutMs;
  const time = isWish
    ? `the ${wishedMs} ms of its parameter "timeout"`
    : `${timeoutMs} ms (raise it with query.timeout_ms)`;
  const fact = hasBegun
    ? `expression evaluation: it took longer than ${time}`
    : `query queue: ${concurrency} others were running (raise it with query.concurrency) for longer than ${time}`;
  return new QueryTimeoutError(fact, { cause });
}
