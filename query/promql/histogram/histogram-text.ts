/** A histogram as Prometheus writes it as a label's value: `{count:3, sum:5, (0.5,1]:1, (1,2]:2}`. */
import { renderG } from '../go-float.ts';
import { allSignedBuckets, type FloatHistogram } from './float-histogram.ts';

/** Buckets that hold nothing are left out. */
export function printHistogram(histogram: FloatHistogram): string {
  let text = `{count:${renderG(histogram.count)}, sum:${renderG(histogram.sum)}`;
  for (const { lower, upper, count, includesLower, includesUpper } of allSignedBuckets(histogram)) {
    if (count === 0) continue;
    const bounds = `${renderG(lower)},${renderG(upper)}`;
    text += `, ${includesLower ? '[' : '('}${bounds}${includesUpper ? ']' : ')'}:${renderG(count)}`;
  }
  return `${text}}`;
}
