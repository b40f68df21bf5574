/**
 * Sparse buckets as spans, the form in which Prometheus's chunks and messages have them.
 *
 *   indexes [1, 2, 5]  ->  [{ offset: 1, length: 2 }, { offset: 2, length: 1 }]
 */
export interface Span {
  /** Buckets between the span before (or 0) and this one. */
  readonly offset: number;
  readonly length: number;
}

export function spansOf(indexes: Int32Array): Span[] {
  const spans: Span[] = [];
  let end = 0;
  for (let start = 0; start < indexes.length; ) {
    let next = start + 1;
    while (next < indexes.length && indexes[next] === indexes[next - 1] + 1) next++;
    spans.push({ offset: indexes[start] - end, length: next - start });
    end = indexes[next - 1] + 1;
    start = next;
  }
  return spans;
}
