/** Counts what conversions leave out, whichever way the foreign body came. */
import { metrics } from '@opentelemetry/api';
import type { Conversion, Format } from './conversion.ts';

const rejectionCounter = metrics.getMeter('sonde').createCounter('sonde.receive.rejections', {
  description: 'Entries that were left out while a foreign format was converted, by format and reason.',
});
/** Counted like a rejection, and told to the sender, but no failure. */
const reasonIgnored = 'no_place_for_value';

export function countRejections(format: Format, { rejections, ignored }: Conversion): void {
  for (const { reason, count } of rejections) rejectionCounter.add(count, { format, reason });
  if (ignored > 0) rejectionCounter.add(ignored, { format, reason: reasonIgnored });
}
