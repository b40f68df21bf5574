/** Quantiles of plain values, interpolated as Prometheus does. */

/** Sorts numbers upwards with NaN first: Prometheus's order. Float64Array's own sort puts NaN last. */
export function sortValues(values: Float64Array): Float64Array {
  values.sort();
  let nanCount = 0;
  while (nanCount < values.length && Number.isNaN(values[values.length - 1 - nanCount])) nanCount++;
  if (nanCount > 0 && nanCount < values.length) {
    values.copyWithin(nanCount, 0, values.length - nanCount);
    values.fill(NaN, 0, nanCount);
  }
  return values;
}

/** The q-quantile of values, which are sorted in place. */
export function quantile(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  sortValues(values);
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}
