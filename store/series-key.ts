/** Series by metric and id, in parts that fit into a query. */

export interface SeriesKey {
  readonly metric: string;
  /** Decimal text of the 64 bits. */
  readonly id: string;
}

/** Parameters travel in the query's text, which may be 256 KiB long: so many bytes of names stay below it. */
const metricBytesPerQuery = 64 * 1024;

/** SQL for the ids of the parameter `ids`, as joined by idsText(). */
export const idList = "(SELECT toUInt64(arrayJoin(splitByChar(',', {ids:String}))))";

export function idsText(keys: readonly { readonly id: string }[]): string {
  return keys.map(({ id }) => id).join();
}

export function metricNames(keys: readonly SeriesKey[]): string[] {
  return [...new Set(keys.map(({ metric }) => metric))];
}

/** Cuts keys into parts for one query each. Keys of one metric should come together. */
export function* seriesKeyParts(
  keys: readonly SeriesKey[],
  idsPerQuery: number,
): Generator<readonly SeriesKey[]> {
  let start = 0;
  let bytes = 0;
  for (let end = 0; end < keys.length; end++) {
    const isNamed = end > start && keys[end].metric === keys[end - 1].metric;
    if (!isNamed) bytes += Buffer.byteLength(keys[end].metric);
    if (end - start < idsPerQuery && bytes <= metricBytesPerQuery) continue;
    yield keys.slice(start, end);
    start = end;
    bytes = Buffer.byteLength(keys[end].metric);
  }
  if (start < keys.length) yield keys.slice(start);
}
