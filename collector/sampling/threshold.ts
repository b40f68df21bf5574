/**
 * Rejection thresholds of OpenTelemetry's consistent probability sampling: of 2^56 values of randomness, those below the
 * threshold are dropped. Specification: TraceState: Probability Sampling, and TraceState Handling (th, rv).
 *
 *   25 %  ->  high c00000, low 0, text "c"       what is kept stands for 4
 *
 * The 56 bits are two integers: `high` of 24 bits, `low` of 32.
 */
export interface Threshold {
  readonly high: number;
  readonly low: number;
  /** Hexadecimal digits without the zeros at the end: the value of `th`. */
  readonly text: string;
}

const bits = 56n;
const digitCount = 14;
/** Digits that differ from f: the specification recommends four. */
const precision = 4;

/** `probability` is above 0 and at most 1. Above 2^-56 the result is never a threshold that drops everything. */
export function thresholdOf(probability: number): Threshold {
  const range = 1n << bits;
  // A double has 53 bits: scaled in two steps, so that small probabilities keep theirs.
  const kept = BigInt(Math.round(probability * 2 ** 53)) << 3n;
  const exact = range - (kept === 0n ? 1n : kept);
  const digits = exact.toString(16).padStart(digitCount, '0');
  const leading = /^f*/.exec(digits)![0].length;
  const shift = BigInt(Math.max(0, digitCount - leading - precision)) * 4n;
  const rounded = shift === 0n ? exact : ((exact + (1n << (shift - 1n))) >> shift) << shift;
  return fromDigits((rounded >= range ? exact : rounded).toString(16).padStart(digitCount, '0'));
}

/** Reads 1 to 14 hexadecimal digits as `th` has them; undefined for anything else. */
export function parseThreshold(text: string): Threshold | undefined {
  return /^[0-9a-f]{1,14}$/.test(text) ? fromDigits(text.padEnd(digitCount, '0')) : undefined;
}

/** Below 0 where `a` drops less than `b`. */
export function compareThresholds(a: Threshold, b: Threshold): number {
  return a.high - b.high || a.low - b.low;
}

function fromDigits(digits: string): Threshold {
  return {
    high: Number.parseInt(digits.slice(0, 6), 16),
    low: Number.parseInt(digits.slice(6), 16),
    text: digits.replace(/0+$/, '') || '0',
  };
}
