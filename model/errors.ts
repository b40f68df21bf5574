/**
 * Errors that a person or a client reads. Each has a stable code, a lower-case fact, and fields.
 *
 * Operating errors (bad input, a peer that is down) are one of these classes. A broken invariant of our own
 * is a plain Error that starts with "BUG:" and is never caught to go on.
 */

/** Input that does not have the shape its format demands. `position` is a byte or character offset in the input. */
export class DecodeError extends Error {
  readonly code = 'SONDE_DECODE';
  readonly position: number;
  constructor(fact: string, position: number) {
    super(`${fact} at byte ${position}`);
    this.name = 'DecodeError';
    this.position = position;
  }
}

/** A request that is refused for good: repeating it cannot help. `status` is the HTTP status that says so. */
export class RefusedError extends Error {
  readonly code = 'SONDE_REFUSED';
  readonly status: number;
  constructor(fact: string, status = 400, options?: ErrorOptions) {
    super(fact, options);
    this.name = 'RefusedError';
    this.status = status;
  }
}

/** Something that may work later: a full queue, a store that is down. `retryAfterMs` is a hint for the sender. */
export class UnavailableError extends Error {
  readonly code = 'SONDE_UNAVAILABLE';
  readonly status: number;
  readonly retryAfterMs: number;
  constructor(fact: string, options: ErrorOptions & { status?: 429 | 503; retryAfterMs?: number } = {}) {
    super(fact, options);
    this.name = 'UnavailableError';
    this.status = options.status ?? 503;
    this.retryAfterMs = options.retryAfterMs ?? 1000;
  }
}

/** A limit that a query ran into; `option` names the config key that raises it. */
export class LimitError extends Error {
  readonly code = 'SONDE_LIMIT';
  readonly option: string;
  constructor(fact: string, option: string) {
    super(`${fact} (raise it with ${option})`);
    this.name = 'LimitError';
    this.option = option;
  }
}

/** What a person did wrong in configuration or on the command line: the process cannot start. */
export class ConfigError extends Error {
  readonly code = 'SONDE_CONFIG';
  constructor(fact: string, options?: ErrorOptions) {
    super(fact, options);
    this.name = 'ConfigError';
  }
}

/** The message of anything thrown, for a log line or a reply. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
