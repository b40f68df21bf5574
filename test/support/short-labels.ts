/** Labels as people write them: `up{job="a"}`. */
import { type Labels, metricNameLabel } from '#model/labels.ts';

export function shortLabels(labels: Labels): string {
  const name = labels.find(([key]) => key === metricNameLabel)?.[1] ?? '';
  const others = labels.filter(([key]) => key !== metricNameLabel);
  if (others.length === 0 && name !== '') return name;
  return `${name}{${others.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(', ')}}`;
}
