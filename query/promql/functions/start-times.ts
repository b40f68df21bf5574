/**
 * What a sample's start time says: since when its counter counts. Times are milliseconds since 1970, 0 is unknown.
 *
 *   sample at 60 s since 0 s, next at 120 s since 90 s  ->  the counter began anew between them
 */

/** Whether the counter of sample `index` began after the sample before it. */
export function beganAnew(startTimes: Float64Array, timestamps: Float64Array, index: number): boolean {
  const startMs = startTimes[index];
  if (startMs === 0 || startMs >= timestamps[index]) return false;
  const beforeMs = timestamps[index - 1];
  if (startMs !== beforeMs) return startMs > beforeMs;
  // Deltas begin where the one before ended. A cumulative counter that does not know its start may say the same.
  const beforeStartMs = startTimes[index - 1];
  return beforeStartMs !== 0 && beforeStartMs < beforeMs;
}

/** Whether a sample claims a time that the one before it has counted already. */
export function overlaps(startTimes: Float64Array, timestamps: Float64Array, index: number): boolean {
  const startMs = startTimes[index];
  return startMs !== 0 && startMs < timestamps[index - 1] && startMs !== startTimes[index - 1];
}

export const overlapNote = (name: string) =>
  `sample has start time that overlaps with previous sample timestamp for metric ${JSON.stringify(name)}`;

/** When the counter of a window's first sample was zero, if that was within the window; undefined where it was not. */
export function zeroWithin(
  startTimes: Float64Array | undefined,
  timestamps: Float64Array,
  first: number,
  windowStartMs: number,
): number | undefined {
  const startMs = startTimes?.[first] ?? 0;
  return startMs !== 0 && startMs > windowStartMs && startMs < timestamps[first] ? startMs : undefined;
}
