/** Floats as ClickHouse reads and prints them. JSON has no NaN, and a bound parameter is text anyway. */

/** Renders a number for toFloat64(). */
export function floatText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** Parses what toString() of a Float64 printed. */
export function parseFloatText(text: string): number {
  return Number(text.replace('inf', 'Infinity'));
}
