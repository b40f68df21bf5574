/**
 * When a group is evaluated: every interval, at an offset that its name decides, so that groups spread over the interval
 * and keep their places over restarts. As Prometheus.
 */
import { fnv1a64 } from './fnv1a.ts';

/** The offset of a name within its interval. */
export function offsetMs(name: string, intervalMs: number): number {
  return Number(fnv1a64(Buffer.from(name)) % BigInt(intervalMs));
}

/** The first evaluation time at or after `nowMs`. */
export function nextEvaluationMs(nowMs: number, intervalMs: number, offset: number): number {
  const last = Math.floor((nowMs - offset) / intervalMs) * intervalMs + offset;
  return last === nowMs ? last : last + intervalMs;
}
