/**
 * The labels le and quantile, whose values are numbers: written as OpenMetrics writes them, so that a bucket is one series
 * whatever format its target speaks (Prometheus 3, "le and quantile label values").
 *
 *   "1" -> "1.0"    "0.50" -> "0.5"    "1000000" -> "1e+06"    "inf" -> "+Inf"    "x" -> "x"
 */
import type { MetricType } from '#wire/remote-write/request-encoder.ts';

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const infinityPattern = /^([+-]?)inf(?:inity)?$/i;
const nanPattern = /^[+-]?nan$/i;
/** Exponents outside are written in scientific form (Go, strconv.FormatFloat with 'g' and the shortest precision). */
const plainExponentMin = -4;
const plainExponentMax = 6;

/** Normalizes the bound that a series of a metric of this type has, if any. */
export function normalizeBound(labels: Map<string, string>, type: MetricType): void {
  const name = type === 'summary' ? 'quantile' : 'le';
  if (type !== 'summary' && type !== 'histogram' && type !== 'gaugehistogram') return;
  const bound = labels.get(name);
  if (bound !== undefined) labels.set(name, normalizedBound(bound));
}

/** Returns the bound in OpenMetrics' form; text that is no number stays as it is. */
export function normalizedBound(text: string): string {
  const infinity = infinityPattern.exec(text);
  if (infinity) return infinity[1] === '-' ? '-Inf' : '+Inf';
  if (nanPattern.test(text)) return 'NaN';
  return numberPattern.test(text) ? renderBound(Number(text)) : text;
}

/** Returns a number as OpenMetrics 1.0 writes bounds. */
export function renderBound(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa, exponentText] = value.toExponential().split('e') as [string, string];
  const exponent = Number(exponentText);
  if (exponent < plainExponentMin || exponent >= plainExponentMax) {
    const digits = String(Math.abs(exponent)).padStart(2, '0');
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${digits}`;
  }
  const plain = String(value);
  return plain.includes('.') ? plain : `${plain}.0`;
}
