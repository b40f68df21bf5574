/** Whether two servers answered the same: series by labels, times equal, numbers within a relative difference of 1e-9. */

interface ReplySeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

interface Reply {
  readonly status: string;
  readonly error?: string;
  readonly data?: { readonly result: readonly ReplySeries[] } | readonly unknown[];
}

const toleratedDifference = 1e-9;

/** Says what differs first; undefined where nothing does. */
export function compareReplies(left: Buffer, right: Buffer): string | undefined {
  const replies = [left, right].map((body) => JSON.parse(body.toString()) as Reply);
  for (const { status, error } of replies) if (status !== 'success') return error ?? status;
  const [a, b] = replies.map(({ data }) => data);
  if (Array.isArray(a) && Array.isArray(b)) return compareLists(a, b);
  if (a === undefined || b === undefined || !('result' in a) || !('result' in b))
    return 'one is a list, one is not';
  if (a.result.length !== b.result.length) return `${a.result.length} series and ${b.result.length}`;
  const found = new Map(b.result.map((series) => [keyOf(series.metric), series]));
  for (const series of a.result) {
    const key = keyOf(series.metric);
    const other = found.get(key);
    if (other === undefined) return `${key} is missing`;
    const fault = comparePoints(pointsOf(series), pointsOf(other));
    if (fault !== undefined) return `${key}: ${fault}`;
  }
  return undefined;
}

function keyOf(metric: object): string {
  return JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function compareLists(a: readonly unknown[], b: readonly unknown[]): string | undefined {
  const keys = (list: readonly unknown[]) =>
    new Set(list.map((entry) => (typeof entry === 'string' ? entry : keyOf(entry as object))));
  const [left, right] = [keys(a), keys(b)];
  if (left.size !== right.size) return `${left.size} entries and ${right.size}`;
  for (const key of left) if (!right.has(key)) return `${key} is missing`;
  return undefined;
}

function pointsOf({ value, values }: ReplySeries): readonly (readonly [number, string])[] {
  return values ?? (value === undefined ? [] : [value]);
}

function comparePoints(
  a: readonly (readonly [number, string])[],
  b: readonly (readonly [number, string])[],
): string | undefined {
  if (a.length !== b.length) return `${a.length} points and ${b.length}`;
  for (const [i, [time, text]] of a.entries()) {
    const [otherTime, otherText] = b[i];
    if (time !== otherTime) return `a point at ${time} and one at ${otherTime}`;
    if (text === otherText) continue;
    const [x, y] = [Number(text), Number(otherText)];
    if (!(Math.abs(x - y) <= toleratedDifference * Math.max(Math.abs(x), Math.abs(y)))) {
      return `${text} and ${otherText} at ${time}`;
    }
  }
  return undefined;
}
