/**
 * A time as OTLP has it: Unix nanoseconds in two unsigned 32-bit halves, without a BigInt for each record.
 *
 *   setUnixNano(time, 1, 500_000_000)  ->  { low: 1500000000, high: 0 }
 */
export interface UnixNano {
  low: number;
  high: number;
}

const word = 0x1_0000_0000;

/** Sets the time of whole seconds from 0 to 2^33 and nanoseconds below 10^9. Every step is exact in a double. */
export function setUnixNano(time: UnixNano, seconds: number, nanos: number): void {
  const upper = Math.floor(seconds / 0x1_0000) * 1_000_000_000;
  const lower = (seconds % 0x1_0000) * 1_000_000_000 + nanos;
  const rest = (upper % 0x1_0000) * 0x1_0000 + lower;
  time.high = Math.floor(upper / 0x1_0000) + Math.floor(rest / word);
  time.low = rest % word;
}
