/** An object of an API that is not as its documentation says: the field at fault, and what was expected there. */
import type { z } from 'zod';

export class ApiObjectError extends Error {
  readonly code = 'SONDE_API_OBJECT';
  /** `what`: `a pod`. */
  constructor(what: string, { issues }: z.ZodError) {
    const { path, message } = issues[0]!;
    super(`${what} is not as expected: ${path.length === 0 ? '' : `${path.join('.')}: `}${message}`);
    this.name = 'ApiObjectError';
  }
}
