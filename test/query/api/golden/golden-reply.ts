/** A reply in the form that is compared: what two servers may write differently without meaning it is made equal. */

export interface GoldenReply {
  readonly status: number;
  readonly type: string;
  /** JSON text, a line for each of its lines; the order of keys is kept. */
  readonly body: string;
}

export function normalReply(status: number, type: string, body: string): GoldenReply {
  const lines = body.split('\n').filter((line) => line !== '');
  const isJson = /json/.test(type);
  return {
    status,
    type: type.replace(/; ?charset=utf-8$/i, ''),
    body: lines.map((line) => (isJson ? normalJson(line) : line)).join('\n'),
  };
}

/** Prometheus escapes <, > and & for browsers, and how long a query took is nobody's to predict. */
function normalJson(line: string): string {
  const parsed = JSON.parse(line, normalValue) as Reply;
  const stats = parsed.data?.stats;
  if (stats !== undefined) {
    for (const part of [stats.timings, stats.samples]) {
      for (const name of Object.keys(part ?? {})) {
        const isCount = part === stats.samples && comparedCounts.has(name);
        if (!isCount) (part as Record<string, unknown>)[name] = 'some';
      }
    }
  }
  return JSON.stringify(parsed);
}

interface Reply {
  readonly data?: { readonly stats?: { readonly timings?: object; readonly samples?: object } };
}

/** Bounds of buckets: Prometheus looks them up in a table that is not correctly rounded. */
function normalValue(key: string, value: unknown): unknown {
  if (key !== 'buckets' || !Array.isArray(value)) return value;
  return (value as unknown[][]).map(([rule, lower, upper, count]) => [
    rule,
    rounded(lower),
    rounded(upper),
    count,
  ]);
}

function rounded(bound: unknown): unknown {
  const number = Number(bound);
  return Number.isFinite(number) ? number.toPrecision(14) : bound;
}

/** How many samples are read is a matter of the engine: a store's reads here, the evaluator's there. */
const comparedCounts = new Set(['totalQueryableSamples', 'seriesTouched']);
