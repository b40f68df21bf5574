/**
 * /proc/net/softnet_stat: packets that each processor took from the devices; hexadecimal columns.
 *
 *   002b5013 00000000 00000001 ...   ->  node_softnet_processed_total{cpu="0"} 2838547, _dropped_ 0, _times_squeezed_ 1
 *
 * Columns: processed, dropped, time_squeeze, five unused, cpu_collision, received_rps (2.6.35), flow_limit_count (3.11),
 * backlog_len and the processor (5.14).
 */
import type { HostCollector } from '../host-collector.ts';
import {
  counter,
  gauge,
  type HostMetric,
  type HostSample,
  hexNumber,
  sampleOf,
  splitFields,
} from '../host-sample.ts';

const columns: readonly (readonly [column: number, HostMetric])[] = [
  [0, counter('node_softnet_processed_total', 'Packets processed.')],
  [1, counter('node_softnet_dropped_total', 'Packets dropped.')],
  [2, counter('node_softnet_times_squeezed_total', 'Times that the processor had more packets than time.')],
  [8, counter('node_softnet_cpu_collision_total', 'Collisions while a device lock was taken.')],
  [9, counter('node_softnet_received_rps_total', 'Times that another processor woke this one for packets.')],
  [10, counter('node_softnet_flow_limit_count_total', 'Times that the flow limit was reached.')],
  [11, gauge('node_softnet_backlog_len', 'Packets that wait.')],
];
const cpuColumn = 12;

export const softnetCollector: HostCollector = {
  name: 'softnet',
  isDefault: true,
  reads: '/proc/net/softnet_stat',
  makes: 'node_softnet_*',
  create: (files) => () => parseSoftnet(files.proc('1/net/softnet_stat', 'net/softnet_stat')),
};

export function parseSoftnet(text: string): HostSample[] {
  return text
    .trim()
    .split('\n')
    .flatMap((line, row) => {
      const fields = splitFields(line);
      const own = hexNumber(fields[cpuColumn]);
      const cpu = String(Number.isNaN(own) ? row : own);
      return columns.flatMap(([column, metric]) => sampleOf(metric, hexNumber(fields[column]), { cpu }));
    });
}
