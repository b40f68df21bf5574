/** How much text a query may bind to its placeholders. */
import { RefusedError } from '#model/errors.ts';
import type { QueryParams } from '#store/store.ts';

/**
 * ClickHouse parses a statement of 256 KiB at most. Bound text enters it as hex digits, which are twice as long, and
 * beside the tenant's filter and settings.
 */
export const boundBytesMax = 120_000;

/** Throws RefusedError where the texts of matchers and filters are longer than the engine reads. */
export function checkBoundText(params: QueryParams): void {
  let bytes = 0;
  for (const value of Object.values(params)) {
    for (const item of Array.isArray(value) ? value : [value]) bytes += boundBytes(item);
  }
  if (bytes > boundBytesMax) {
    throw new RefusedError(
      `the matchers and filters of the query take ${bytes} bytes in a statement, more than ${boundBytesMax}: shorten them`,
    );
  }
}

/** With the backslash that some characters are sent behind. */
function boundBytes(value: unknown): number {
  if (typeof value !== 'string') return 0;
  return Buffer.byteLength(value) + (value.match(/[\\\0\b\f\n\r\t']/g)?.length ?? 0);
}
