/** The metrics of a container, with the names and types that cAdvisor gave them. */
import { counter, gauge, type HostMetric } from '../host/host-sample.ts';

export const cpuUsage = counter('container_cpu_usage_seconds_total', 'Seconds of processor time.');
export const cpuUser = counter(
  'container_cpu_user_seconds_total',
  'Seconds of processor time outside of the kernel.',
);
export const cpuSystem = counter(
  'container_cpu_system_seconds_total',
  'Seconds of processor time in the kernel.',
);
export const cfsPeriods = counter(
  'container_cpu_cfs_periods_total',
  'Periods in which the quota was enforced.',
);
export const cfsThrottledPeriods = counter(
  'container_cpu_cfs_throttled_periods_total',
  'Periods in which the quota was used up.',
);
export const cfsThrottledTime = counter(
  'container_cpu_cfs_throttled_seconds_total',
  'Seconds for which the quota held threads back.',
);

export const memoryUsage = gauge('container_memory_usage_bytes', 'Memory in use, page cache included.');
export const memoryMaxUsage = gauge('container_memory_max_usage_bytes', 'Most memory that was ever in use.');
export const workingSet = gauge(
  'container_memory_working_set_bytes',
  'Memory in use without inactive page cache: what counts towards the limit at once.',
);
export const memoryRss = gauge('container_memory_rss', 'Anonymous memory, in bytes.');
export const memoryCache = gauge('container_memory_cache', 'Page cache, in bytes.');
export const memorySwap = gauge('container_memory_swap', 'Memory in the swap space, in bytes.');
export const mappedFile = gauge('container_memory_mapped_file', 'Memory of mapped files, in bytes.');
export const kernelUsage = gauge('container_memory_kernel_usage', "The kernel's memory for it, in bytes.");
export const activeFile = gauge('container_memory_total_active_file_bytes', 'Active page cache.');
export const inactiveFile = gauge('container_memory_total_inactive_file_bytes', 'Inactive page cache.');
export const memoryFailcnt = counter('container_memory_failcnt', 'Times that the memory limit was hit.');
export const memoryFailures = counter('container_memory_failures_total', 'Page faults, by type and scope.');
export const oomEvents = counter(
  'container_oom_events_total',
  'Processes that were killed for lack of memory.',
);

export const fsReads = counter('container_fs_reads_total', 'Reads from the device.');
export const fsReadBytes = counter('container_fs_reads_bytes_total', 'Bytes read from the device.');
export const fsWrites = counter('container_fs_writes_total', 'Writes to the device.');
export const fsWriteBytes = counter('container_fs_writes_bytes_total', 'Bytes written to the device.');
export const blkioUsage = counter('container_blkio_device_usage_total', 'Bytes to and from the device.');

export const processes = gauge('container_processes', 'Processes.');
export const threads = gauge('container_threads', 'Threads.');
export const threadsMax = gauge('container_threads_max', 'Most threads that it may have; 0 for no limit.');

export const specCpuPeriod = gauge('container_spec_cpu_period', 'The period of the quota, in microseconds.');
export const specCpuQuota = gauge('container_spec_cpu_quota', 'Processor time in a period, in microseconds.');
export const specCpuShares = gauge('container_spec_cpu_shares', 'Shares of processor time.');
export const specMemoryLimit = gauge('container_spec_memory_limit_bytes', 'The memory limit; 0 for none.');
export const specMemoryReservation = gauge(
  'container_spec_memory_reservation_limit_bytes',
  'Memory that is protected from others; 0 for none.',
);
export const specMemorySwapLimit = gauge(
  'container_spec_memory_swap_limit_bytes',
  'The swap limit; 0 for none.',
);

export const machineCores = gauge('machine_cpu_cores', 'Processors of the machine.');
export const machineMemory = gauge('machine_memory_bytes', 'Memory of the machine.');

export const lastSeen = gauge('container_last_seen', 'When it was last read, in Unix time.');
export const startTime = gauge('container_start_time_seconds', 'When it was started, in Unix time.');

export const pressure: Readonly<Record<'cpu' | 'memory' | 'io', { some: HostMetric; full: HostMetric }>> = {
  cpu: pressureOf('cpu'),
  memory: pressureOf('memory'),
  io: pressureOf('io'),
};

function pressureOf(resource: string): { some: HostMetric; full: HostMetric } {
  return {
    some: counter(
      `container_pressure_${resource}_waiting_seconds_total`,
      `Seconds that some tasks waited for ${resource}.`,
    ),
    full: counter(
      `container_pressure_${resource}_stalled_seconds_total`,
      `Seconds that all tasks waited for ${resource}.`,
    ),
  };
}

/** Columns of /proc/<pid>/net/dev, and what they are called. */
export const network: readonly (readonly [column: number, HostMetric])[] = [
  [0, counter('container_network_receive_bytes_total', 'Bytes received.')],
  [1, counter('container_network_receive_packets_total', 'Packets received.')],
  [2, counter('container_network_receive_errors_total', 'Errors while receiving.')],
  [3, counter('container_network_receive_packets_dropped_total', 'Received packets that were dropped.')],
  [8, counter('container_network_transmit_bytes_total', 'Bytes sent.')],
  [9, counter('container_network_transmit_packets_total', 'Packets sent.')],
  [10, counter('container_network_transmit_errors_total', 'Errors while sending.')],
  [
    11,
    counter('container_network_transmit_packets_dropped_total', 'Packets that were dropped instead of sent.'),
  ],
];
