/**
 * The parameters of a Loki request, from the URL and from a form body, in Loki's forms and with its defaults.
 *
 *   start=1767225600          seconds (up to ten digits)      start=1767225600000000000  nanoseconds
 *   start=1767225600.5        seconds with a fraction         start=2026-01-01T00:00:00Z  RFC 3339
 */
import type { FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import { parseDurationNano } from '../logql/duration.ts';

export const formType = 'application/x-www-form-urlencoded';

const limitDefault = 100;
const hourNano = 3_600_000_000_000n;
const secondNano = 1_000_000_000n;

export interface LokiRange {
  /** Nanoseconds since 1970. */
  readonly start: bigint;
  readonly end: bigint;
}

export class LokiParams {
  readonly #params: URLSearchParams;
  readonly #nowNano: bigint;

  /** A form's fields come before those of the URL. The body must have been read as text. */
  constructor(request: FastifyRequest, nowMs: number) {
    const mark = request.url.indexOf('?');
    this.#params = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
    for (const [name, value] of new URLSearchParams(mark === -1 ? '' : request.url.slice(mark + 1))) {
      this.#params.append(name, value);
    }
    this.#nowNano = BigInt(Math.round(nowMs)) * 1_000_000n;
  }

  text(name: string): string {
    return this.#params.get(name) ?? '';
  }

  all(...names: readonly string[]): string[] {
    return names.flatMap((name) => this.#params.getAll(name));
  }

  time(name: string): bigint {
    return this.#time(name) ?? this.#nowNano;
  }

  /** `sinceDefault` hours before the end, unless start or since say otherwise. */
  range(sinceHours: bigint): LokiRange {
    const end = this.#time('end') ?? this.#nowNano;
    const since = this.#duration('since') ?? sinceHours * hourNano;
    const latest = end > this.#nowNano ? this.#nowNano : end;
    const start = this.#time('start') ?? latest - since;
    if (end < start) throw new RefusedError('end timestamp must not be before or equal to start time');
    return { start, end };
  }

  limit(entriesMax: number): number {
    const text = this.text('limit');
    const limit = text === '' ? Math.min(limitDefault, entriesMax) : Number(text);
    if (!Number.isInteger(limit) || limit <= 0) throw new RefusedError('limit must be a positive value');
    if (limit > entriesMax) {
      throw new RefusedError(
        `max entries limit per query exceeded, limit > max_entries_limit_per_query (${limit} > ${entriesMax})`,
      );
    }
    return limit;
  }

  direction(): 'forward' | 'backward' {
    const text = this.text('direction').toLowerCase();
    if (text === '' || text === 'backward') return 'backward';
    if (text === 'forward') return 'forward';
    throw new RefusedError(`invalid direction ${JSON.stringify(text)}: it is forward or backward`);
  }

  /** Nanoseconds. Without the parameter, a whole number of seconds that gives some 250 points. */
  step({ start, end }: LokiRange): bigint {
    const step = this.#duration('step');
    if (step === undefined) {
      const seconds = (end - start) / (250n * secondNano);
      return (seconds < 1n ? 1n : seconds) * secondNano;
    }
    if (step > 0n) return step;
    throw new RefusedError(
      'zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }

  /** Refuses a parameter that would change the answer and that we do not have. */
  refuse(name: string): void {
    if (!['', '0'].includes(this.text(name)))
      throw new RefusedError(`parameter ${name} is not supported yet`, 501);
  }

  #time(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (/^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) {
      return BigInt(text) * (text.length <= 10 ? secondNano : 1n);
    }
    if (/^\d{1,12}\.\d*$/.test(text)) return BigInt(Math.round(Number(text) * 1000)) * 1_000_000n;
    const nano = parseRfc3339(text);
    if (nano !== undefined) return nano;
    throw new RefusedError(
      `parameter ${name} is not a time: ${JSON.stringify(text)}; give unix nanoseconds, seconds or RFC 3339`,
    );
  }

  #duration(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    const nano = /^-?\d{1,12}(\.\d*)?$/.test(text)
      ? BigInt(Math.round(Number(text) * 1000)) * 1_000_000n
      : parseDurationNano(text);
    if (nano !== undefined) return nano;
    throw new RefusedError(
      `parameter ${name} is not a duration: ${JSON.stringify(text)}; give seconds or a duration such as 5m`,
    );
  }
}

const rfc3339Pattern = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/i;

function parseRfc3339(text: string): bigint | undefined {
  const match = rfc3339Pattern.exec(text);
  if (match === null) return undefined;
  const [, seconds, fraction = '', zone] = match;
  const ms = Date.parse(`${seconds}${zone}`);
  return Number.isNaN(ms) ? undefined : BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
}
