/** Which group a series belongs to, and the labels that the group keeps. */
import { type Labels, metricNameLabel } from '#model/labels.ts';

/** The labels of a series' group: those named (by), or all others without the metric's name (without). */
export function groupLabels(labels: Labels, names: ReadonlySet<string>, isWithout: boolean): Labels {
  if (isWithout) return labels.filter(([name]) => name !== metricNameLabel && !names.has(name));
  return names.size === 0 ? [] : labels.filter(([name]) => names.has(name));
}
