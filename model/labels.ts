/**
 * Labels: what names a series or a stream. Always sorted by name, so that equal sets have equal text.
 *
 *   sortLabels([['job', 'a'], ['__name__', 'up']])  ->  [['__name__', 'up'], ['job', 'a']]
 */

/** Name and value pairs, sorted by name (code units), names unique. */
export type Labels = readonly (readonly [name: string, value: string])[];

export const metricNameLabel = '__name__';

/** Returns the pairs in canonical order. Empty values are dropped: to Prometheus an empty label is none. */
export function sortLabels(pairs: Iterable<readonly [string, string]>): Labels {
  return [...pairs].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** Returns a label's value, or '' where it is absent. */
export function labelValue(labels: Labels, name: string): string {
  for (const [key, value] of labels) if (key === name) return value;
  return '';
}

/** How a selector narrows one label. `value` is the text or the anchored RE2 pattern. */
export interface LabelMatcher {
  readonly name: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
}
