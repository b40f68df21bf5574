/** A query that is well-formed and cannot be answered: HTTP 422 in Prometheus's API. */
import { RefusedError } from '#model/errors.ts';

export function executionError(fact: string): RefusedError {
  return new RefusedError(fact, 422);
}
