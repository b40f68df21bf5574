/**
 * Turns what an engine or a client threw into a StoreError, and judges whether the same call may succeed later.
 * In: "Code: 241. DB::Exception: ... (MEMORY_LIMIT_EXCEEDED)"; out: StoreError { clickhouseCode: 241, retryable: true }.
 */
import { errorMessage } from '#model/errors.ts';
import { StoreError } from './store.ts';

export const queryWasCancelled = 394;
export const timeoutExceeded = 159;
export const notEnoughSpace = 243;

/**
 * ClickHouse's error numbers that speak of the moment (load, space, network, a part of a cluster), not of the call.
 * Everything else (syntax, types, unknown names, broken data) fails again however often it is repeated.
 */
const retryableCodes = new Map<number, string>([
  [timeoutExceeded, 'TIMEOUT_EXCEEDED: the engine may be less busy later; an insert repeats under its token'],
  [160, 'TOO_SLOW'],
  [198, 'DNS_ERROR'],
  [202, 'TOO_MANY_SIMULTANEOUS_QUERIES'],
  [203, 'NO_FREE_CONNECTION'],
  [209, 'SOCKET_TIMEOUT'],
  [210, 'NETWORK_ERROR'],
  [225, 'NO_ZOOKEEPER'],
  [236, 'ABORTED: the server is shutting down'],
  [241, 'MEMORY_LIMIT_EXCEEDED: other queries may have ended by then'],
  [242, 'TABLE_IS_READ_ONLY'],
  [notEnoughSpace, 'NOT_ENOUGH_SPACE: retention or a person makes room'],
  [252, 'TOO_MANY_PARTS: merges catch up'],
  [279, 'ALL_CONNECTION_TRIES_FAILED'],
  [285, 'TOO_FEW_LIVE_REPLICAS'],
  [286, 'UNSATISFIED_QUORUM'],
  [319, 'UNKNOWN_STATUS_OF_INSERT: the token makes the repeat safe'],
  [439, 'CANNOT_SCHEDULE_TASK'],
  [473, 'DEADLOCK_AVOIDED'],
  [499, 'S3_ERROR'],
  [999, 'KEEPER_EXCEPTION'],
]);

/** What Node says when the other end is not there, or not there any more. */
const retryableSocketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EMFILE',
  'ENOSPC',
]);

/** Longest part of an engine's message that we repeat: it quotes the whole query. */
const messageLengthMax = 1500;

/** Returns the number in "Code: 241. DB::Exception: ...", or undefined. */
export function parseClickhouseCode(message: string): number | undefined {
  const match = /Code: (\d{1,5})\b/.exec(message);
  return match === null ? undefined : Number(match[1]);
}

export function isRetryableCode(code: number): boolean {
  return retryableCodes.has(code);
}

/** Returns `error` as a StoreError. `what` says what was being done: "insert into logs". */
export function toStoreError(error: unknown, what: string): StoreError {
  if (error instanceof StoreError) return error;
  const message = errorMessage(error);
  const given = (error as { code?: unknown } | null)?.code;
  const clickhouseCode =
    parseClickhouseCode(message) ?? (/^\d+$/.test(String(given)) ? Number(given) : undefined);
  const retryable =
    clickhouseCode === undefined
      ? retryableSocketCodes.has(String(given)) || /timeout|socket hang up|network/i.test(message)
      : isRetryableCode(clickhouseCode);
  return new StoreError(`${what} failed: ${message.slice(0, messageLengthMax)}`, {
    cause: error,
    retryable,
    ...(clickhouseCode === undefined ? {} : { clickhouseCode }),
  });
}

export function cancelledError(what: string, reason: unknown): StoreError {
  return new StoreError(`${what} was cancelled by its caller`, {
    cause: reason,
    retryable: false,
    clickhouseCode: queryWasCancelled,
  });
}

export function timeoutError(what: string, timeoutMs: number): StoreError {
  return new StoreError(`${what} took longer than ${timeoutMs} ms and was stopped`, {
    retryable: true,
    clickhouseCode: timeoutExceeded,
  });
}

export function closedError(): StoreError {
  return new StoreError('the store is closed', { retryable: false });
}
