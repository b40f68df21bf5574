/** A query that ran out of its time; Prometheus calls it a timeout and not an unavailable server. */
import { UnavailableError } from '#model/errors.ts';

export class QueryTimeoutError extends UnavailableError {
  constructor(options?: ErrorOptions) {
    super('query timed out in expression evaluation', options);
    this.name = 'QueryTimeoutError';
  }
}
