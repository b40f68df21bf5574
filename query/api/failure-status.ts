/** The HTTP status that says what went wrong; every API puts it into its own form of error reply. */
import { LimitError, RefusedError, UnavailableError } from '#model/errors.ts';
import { StoreError } from '#store/store.ts';
import { ParseError } from '../language/parse-error.ts';
import { ClientGoneError } from './client-abort.ts';

/** nginx's status for a client that left: nobody receives it, our own telemetry shows it. */
const clientGoneStatus = 499;

/** Returns 4xx where the request is at fault, 503 where a repeat may succeed, else 500. */
export function failureStatus(error: unknown): number {
  if (isClientGone(error)) return clientGoneStatus;
  if (error instanceof ParseError || error instanceof LimitError) return 400;
  if (error instanceof RefusedError || error instanceof UnavailableError) return error.status;
  if (error instanceof StoreError) return error.retryable ? 503 : 500;
  // Fastify's own: a body that is too large, a content type that nobody parses.
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 && status < 600 ? status : 500;
}

/** The store's own error for a query that was cancelled names the reason as its cause. */
function isClientGone(error: unknown): boolean {
  return (
    error instanceof ClientGoneError || (error instanceof Error && error.cause instanceof ClientGoneError)
  );
}
