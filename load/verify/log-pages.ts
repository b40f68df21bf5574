/**
 * Reads all lines that a LogQL query selects, in pages, each line once: from any API that answers as Loki's does.
 *
 *   for await (const page of readLogPages(api, { query: '{service_name=~".+"} |= "run=ab12 "', ... }))
 *
 * A page that comes back full is cut off somewhere within its last nanosecond: the lines of that time are left to the
 * next page, which begins there. Where a single nanosecond has more lines than a page (files without times of their
 * own), it is read in parts, by the last digits of `seq=`.
 */
import type { ApiClient } from './api-client.ts';

/** Time in nanoseconds since 1970, decimal, and the line. */
export type LogLine = readonly [timeUnixNano: string, line: string];

export interface LogRange {
  readonly query: string;
  /** Nanoseconds since 1970; the end is exclusive. */
  readonly start: bigint;
  readonly end: bigint;
  /** Lines that one request asks for. */
  readonly pageLines: number;
}

interface StreamsAnswer {
  readonly data: { readonly result: readonly { readonly values: readonly LogLine[] }[] };
}

const secondNano = 1_000_000_000n;
/** Lines with one time and one number: more of them than a page holds cannot be told apart. */
const digitsMax = 12;

export async function* readLogPages(api: ApiClient, range: LogRange): AsyncGenerator<readonly LogLine[]> {
  let { start } = range;
  let width = secondNano;
  while (start < range.end) {
    const end = start + width < range.end ? start + width : range.end;
    const lines = await readLines(api, { ...range, start, end });
    if (lines.length < range.pageLines) {
      yield lines;
      start = end;
      // However wide it gets: a page that comes back full says how much of the time it holds.
      if (lines.length < range.pageLines / 2) width *= 2n;
      continue;
    }
    const last = lines.reduce((latest, [time]) => (BigInt(time) > latest ? BigInt(time) : latest), start);
    const whole = lines.filter(([time]) => BigInt(time) < last);
    yield whole;
    if (whole.length === 0) {
      yield* readInstant(api, range, last, '');
      start = last + 1n;
    } else {
      width = last - start > 1000n ? last - start : 1000n;
      start = last;
    }
  }
}

/** Reads the lines of one time whose number ends with `digits`. */
async function* readInstant(
  api: ApiClient,
  range: LogRange,
  time: bigint,
  digits: string,
): AsyncGenerator<readonly LogLine[]> {
  if (digits.length > digitsMax) {
    throw new Error(`more than ${range.pageLines} lines of one number have the time ${time}`);
  }
  for (let digit = 0; digit <= 9; digit++) {
    const suffix = `${digit}${digits}`;
    const query = `${range.query} |~ "seq=[0-9]*${suffix}[^0-9]"`;
    const lines = await readLines(api, { ...range, query, start: time, end: time + 1n });
    if (lines.length < range.pageLines) yield lines;
    else yield* readNumbersEnding(api, range, time, suffix);
  }
}

async function* readNumbersEnding(
  api: ApiClient,
  range: LogRange,
  time: bigint,
  suffix: string,
): AsyncGenerator<readonly LogLine[]> {
  const query = `${range.query} |~ "seq=${suffix}[^0-9]"`;
  const lines = await readLines(api, { ...range, query, start: time, end: time + 1n });
  if (lines.length >= range.pageLines) {
    throw new Error(`more than ${range.pageLines} lines of number ${suffix} have the time ${time}`);
  }
  yield lines;
  yield* readInstant(api, range, time, suffix);
}

async function readLines(api: ApiClient, { query, start, end, pageLines }: LogRange): Promise<LogLine[]> {
  const answer = await api.json<StreamsAnswer>('/loki/api/v1/query_range', {
    query,
    start: String(start),
    end: String(end),
    limit: String(pageLines),
    direction: 'forward',
  });
  if (answer === undefined)
    throw new Error('the API has no /loki/api/v1/query_range: is --url its base URL?');
  return answer.data.result.flatMap(({ values }) => values);
}
