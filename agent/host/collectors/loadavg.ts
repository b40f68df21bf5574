/** /proc/loadavg: "0.50 0.40 0.30 1/234 5678"  ->  node_load1 0.5, node_load5 0.4, node_load15 0.3 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const metrics = [1, 5, 15].map((count) =>
  gauge(`node_load${count}`, `Mean number of runnable threads over ${count} min.`),
);

export const loadavgCollector: HostCollector = {
  name: 'loadavg',
  isDefault: true,
  reads: '/proc/loadavg',
  makes: 'node_load1, node_load5, node_load15',
  create: (files) => () => parseLoadAverage(files.proc('loadavg')),
};

export function parseLoadAverage(text: string): HostSample[] {
  const fields = splitFields(text);
  return metrics.flatMap((metric, i) => sampleOf(metric, fieldNumber(fields[i])));
}
