/** /proc/loadavg: "0.50 0.40 0.30 1/234 5678"  ->  node_load1 0.5, node_load5 0.4, node_load15 0.3 */
import { fieldNumber, gauge, type HostSample, splitFields } from './host-sample.ts';

const minutes = [1, 5, 15] as const;

export function parseLoadAverage(text: string): HostSample[] {
  const fields = splitFields(text);
  return minutes
    .map((count, i) => ({
      metric: gauge(`node_load${count}`, `Mean number of runnable threads over ${count} min.`),
      labels: {},
      value: fieldNumber(fields[i]),
    }))
    .filter(({ value }) => !Number.isNaN(value));
}
