/** Prometheus's extrapolation of what was counted between the first and the last sample of a window to its bounds. */

/** A sample nearer to a bound than this many average intervals is taken to mean that the series goes on. */
const nearness = 1.1;

/**
 * What a difference between the first and the last sample is multiplied by to stand for the whole window. `toZeroRatio` is how far
 * back the line through them reaches zero, in sampled times; Infinity where that does not bind. `zeroMs` is where the
 * counter is known to have been zero within the window: with it, one sample is enough.
 */
export function extrapolationFactor(
  startMs: number,
  endMs: number,
  firstMs: number,
  lastMs: number,
  count: number,
  toZeroRatio: number,
  zeroMs: number | undefined,
): number {
  const average = count === 1 ? 0 : (lastMs - firstMs) / 1000 / (count - 1);
  const threshold = average * nearness;
  const sampled = (lastMs - (zeroMs ?? firstMs)) / 1000;
  let toStart = 0;
  if (zeroMs === undefined) {
    toStart = (firstMs - startMs) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    // A counter was not below zero: the line is not drawn further back than to there.
    toStart = Math.min(toStart, sampled * toZeroRatio);
  }
  let toEnd = (endMs - lastMs) / 1000;
  if (toEnd >= threshold) toEnd = average / 2;
  return (sampled + toStart + toEnd) / sampled;
}
