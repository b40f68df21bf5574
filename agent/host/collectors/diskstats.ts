/**
 * /proc/diskstats: what each block device did since the boot.
 *
 *   8 0 sda 100 5 2048 30 ...   ->  node_disk_reads_completed_total{device="sda"} 100, ..., node_disk_read_bytes_total 1048576
 *
 * Columns as in the kernel's Documentation/admin-guide/iostats.rst: 11, since 4.18 15, since 5.5 17 of them.
 */
import { join } from 'node:path';
import type { HostCollector } from '../host-collector.ts';
import {
  counter,
  fieldNumber,
  gauge,
  type HostMetric,
  type HostSample,
  sampleOf,
  splitFields,
} from '../host-sample.ts';

/** The kernel counts sectors of this size, whatever the device has. */
const sectorBytes = 512;
const millisecond = 0.001;

/** As node_exporter's --collector.diskstats.device-exclude: partitions of disks, memory and loop devices. */
const ignoredDevice = /^(?:z?ram|loop|fd|(?:h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$/;

/** Metric and unit of each column. */
const columns: readonly (readonly [HostMetric, number])[] = [
  [counter('node_disk_reads_completed_total', 'Reads completed.'), 1],
  [counter('node_disk_reads_merged_total', 'Reads merged with others.'), 1],
  [counter('node_disk_read_bytes_total', 'Bytes read.'), sectorBytes],
  [counter('node_disk_read_time_seconds_total', 'Seconds spent by all reads.'), millisecond],
  [counter('node_disk_writes_completed_total', 'Writes completed.'), 1],
  [counter('node_disk_writes_merged_total', 'Writes merged with others.'), 1],
  [counter('node_disk_written_bytes_total', 'Bytes written.'), sectorBytes],
  [counter('node_disk_write_time_seconds_total', 'Seconds spent by all writes.'), millisecond],
  [gauge('node_disk_io_now', 'Operations in progress.'), 1],
  [counter('node_disk_io_time_seconds_total', 'Seconds with operations in progress.'), millisecond],
  [
    counter('node_disk_io_time_weighted_seconds_total', 'Seconds of progress, times operations.'),
    millisecond,
  ],
  [counter('node_disk_discards_completed_total', 'Discards completed.'), 1],
  [counter('node_disk_discards_merged_total', 'Discards merged with others.'), 1],
  [counter('node_disk_discarded_sectors_total', 'Sectors discarded.'), 1],
  [counter('node_disk_discard_time_seconds_total', 'Seconds spent by all discards.'), millisecond],
  [counter('node_disk_flush_requests_total', 'Flush requests completed.'), 1],
  [counter('node_disk_flush_requests_time_seconds_total', 'Seconds spent by all flushes.'), millisecond],
];
const columnsMin = 11;

const diskInfo = gauge('node_disk_info', 'What udev says of the block device.');
/** Properties in /run/udev/data that become labels. */
const udevLabels = new Map([
  ['E:ID_PATH', 'path'],
  ['E:ID_MODEL', 'model'],
  ['E:ID_SERIAL_SHORT', 'serial'],
  ['E:ID_WWN', 'wwn'],
  ['E:ID_REVISION', 'revision'],
]);

export const diskstatsCollector: HostCollector = {
  name: 'diskstats',
  isDefault: true,
  reads: '/proc/diskstats, /run/udev/data',
  makes: 'node_disk_*',
  create: (files) => () => {
    const text = files.proc('diskstats');
    const infos = text.split('\n').flatMap((line) => {
      const [major, minor, device] = splitFields(line);
      if (major === undefined || minor === undefined || device === undefined || ignoredDevice.test(device))
        return [];
      const udev = files.text(join(files.paths.rootPath, 'run/udev/data', `b${major}:${minor}`)) ?? '';
      return sampleOf(diskInfo, 1, { device, major, minor, ...parseUdevProperties(udev) });
    });
    return [...parseDiskStats(text), ...infos];
  },
};

/** "E:ID_MODEL=QEMU" -> { model: 'QEMU' } */
export function parseUdevProperties(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const equals = line.indexOf('=');
    const label = udevLabels.get(line.slice(0, equals));
    if (label !== undefined) labels[label] = line.slice(equals + 1);
  }
  return labels;
}

/** Lines with fewer columns (partitions of old kernels) are left out. */
export function parseDiskStats(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const [, , device, ...values] = splitFields(line);
    if (device === undefined || ignoredDevice.test(device) || values.length < columnsMin) return [];
    return columns
      .map(([metric, unit], i) => ({
        metric,
        labels: { device },
        value: scaled(fieldNumber(values[i]), unit),
      }))
      .filter(({ value }) => !Number.isNaN(value));
  });
}

/** 1234 ms are 1.234 s, not 1.2340000000000002 as a product would have it. */
function scaled(value: number, unit: number): number {
  return unit === millisecond ? value / 1000 : value * unit;
}
