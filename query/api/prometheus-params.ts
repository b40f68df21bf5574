/**
 * The parameters of a Prometheus request, from the URL and from a form body, in Prometheus's forms and words.
 *
 *   time=1767225600.5         seconds        time=2026-01-01T00:00:00Z  RFC 3339
 *   step=15                   seconds        step=1m30s                 a duration
 */
import type { FastifyRequest } from 'fastify';
import { RefusedError } from '#model/errors.ts';
import { type LabelMatcher, metricNameLabel } from '#model/labels.ts';
import { ParseError } from '../language/parse-error.ts';
import { parseDurationMs } from '../language/quantity.ts';
import { matchesLabel } from '../promql/match-label.ts';
import { parseSelector } from '../promql/parser.ts';
import type { TimeRange } from '../promql/source.ts';

export const formType = 'application/x-www-form-urlencoded';

/** The bounds of JavaScript's dates: beyond them no sample is stored. */
const timeMsMax = 8_640_000_000_000_000;
/** 63 bits of nanoseconds, in seconds. */
const durationSecondsMax = 9_223_372_036;

export class PrometheusParams {
  readonly #params: URLSearchParams;

  /** A form's fields come before those of the URL. The body must have been read as text. */
  constructor(request: FastifyRequest) {
    const mark = request.url.indexOf('?');
    this.#params = new URLSearchParams(typeof request.body === 'string' ? request.body : '');
    for (const [name, value] of new URLSearchParams(mark === -1 ? '' : request.url.slice(mark + 1))) {
      this.#params.append(name, value);
    }
  }

  text(name: string): string {
    return this.#params.get(name) ?? '';
  }

  /** A parameter that may be repeated. */
  list(name: string): string[] {
    return this.#params.getAll(name);
  }

  /** Milliseconds since 1970. `missing` stands for a parameter that is absent; without it, it must be there. */
  timeMs(name: string, missing?: number): number {
    const text = this.text(name);
    if (text === '' && missing !== undefined) return missing;
    const ms = parseTimeMs(text);
    if (ms !== undefined) return ms;
    const fact = `cannot parse ${JSON.stringify(text)} to a valid timestamp`;
    throw invalid(name, missing === undefined ? fact : `invalid time value for '${name}': ${fact}`);
  }

  /** Milliseconds; undefined where the parameter is absent. */
  durationMs(name: string): number | undefined {
    return this.text(name) === '' ? undefined : this.requiredDurationMs(name);
  }

  requiredDurationMs(name: string): number {
    const duration = readDuration(this.text(name));
    if ('mistake' in duration) throw invalid(name, duration.mistake);
    return duration.ms;
  }

  /** Whole and not negative; undefined where it is absent or 0, which both mean no limit. */
  limit(name = 'limit'): number | undefined {
    const text = this.text(name);
    if (text === '') return undefined;
    if (!/^[+-]?\d{1,15}$/.test(text)) {
      throw invalid(name, `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
    }
    if (Number(text) < 0) throw invalid(name, 'limit must be non-negative');
    return Number(text) === 0 ? undefined : Number(text);
  }

  /** start and end of a metadata request; all time where they are absent. */
  range(): TimeRange {
    const startMs = this.timeMs('start', -timeMsMax);
    const endMs = this.timeMs('end', timeMsMax);
    return { startMs, endMs };
  }

  /**
   * The selectors of match[]. Refuses one that would select everything. Some endpoints of Prometheus name the parameter
   * in the error and some (`isNamed` false) do not.
   */
  matchers(name = 'match[]', isNamed = true): (readonly LabelMatcher[])[] {
    const refusal = (fact: string) => (isNamed ? invalid(name, fact) : new RefusedError(fact));
    const lists = this.list(name).map((text) => {
      try {
        return parseSelector(text).matchers;
      } catch (error) {
        if (error instanceof ParseError) throw refusal(error.message);
        throw error;
      }
    });
    if (lists.some((matchers) => matchers.every((matcher) => matchesLabel(matcher, '')))) {
      throw refusal(`${name} must contain at least one non-empty matcher`);
    }
    return lists;
  }

  /** `missing` where it is absent. `refuse` words what cannot be read. */
  flag(name: string, missing: boolean, refuse: (text: string) => RefusedError): boolean {
    const text = this.text(name);
    const flag = text === '' ? missing : parseFlag(text);
    if (flag === undefined) throw refuse(text);
    return flag;
  }
}

/** As Go's strconv.ParseBool; undefined where it is neither. */
export function parseFlag(text: string): boolean | undefined {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  return /^(0|f|F|false|FALSE|False)$/.test(text) ? false : undefined;
}

/** A duration in seconds or in Prometheus's units, or what is wrong with it. */
export function readDuration(text: string): { readonly ms: number } | { readonly mistake: string } {
  const seconds = parseFloatText(text);
  const ms = seconds === undefined ? parseDurationMs(text) : Math.trunc(seconds * 1000);
  const fact = `cannot parse ${JSON.stringify(text)} to a valid duration`;
  if (ms === undefined) return { mistake: fact };
  if (Number.isNaN(ms) || Math.abs(ms) / 1000 > durationSecondsMax) {
    return { mistake: `${fact}. It overflows int64` };
  }
  return { ms };
}

export function invalid(name: string, fact: string): RefusedError {
  return new RefusedError(`invalid parameter ${JSON.stringify(name)}: ${fact}`);
}

/** Where Prometheus does not say whose mistake it was: errors without their `invalid parameter "...": `. */
export function unprefixed<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new RefusedError(error.message.replace(/^invalid parameter "[^"]*": /, ''), error.status);
  }
}

function parseFloatText(text: string): number | undefined {
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Number(text);
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?inf(inity)?$/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : undefined;
}

const rfc3339Pattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?(?:Z|[+-]\d{2}:\d{2})$/;

function parseTimeMs(text: string): number | undefined {
  const seconds = parseFloatText(text);
  const ms = seconds === undefined ? parseRfc3339(text) : Math.round(seconds * 1000);
  if (ms === undefined || Number.isNaN(ms)) return undefined;
  return Math.min(timeMsMax, Math.max(-timeMsMax, ms));
}

/** Prometheus's own bounds, as clients send them, lie beyond JavaScript's years. */
function parseRfc3339(text: string): number | undefined {
  if (text === '-292273086-05-16T16:47:06Z') return -timeMsMax;
  if (text === '292277025-08-18T07:12:54.999999999Z') return timeMsMax;
  return rfc3339Pattern.test(text) ? Date.parse(text) : undefined;
}

/**
 * Undoes the escaping of names in paths: `U__http_2e_status` is "http.status", `__` an underscore.
 * Text that is not escaped comes back as it is.
 */
export function unescapeName(text: string): string {
  if (!text.startsWith('U__')) return text;
  const name = text
    .slice(3)
    .replace(/__|_([0-9a-fA-F]{1,6})_/g, (_whole, hex?: string) =>
      hex === undefined ? '_' : String.fromCodePoint(Math.min(0x10ffff, Number.parseInt(hex, 16))),
    );
  return name === '' ? metricNameLabel : name;
}
