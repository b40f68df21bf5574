/**
 * /proc/stat and the processors below /sys: what each processor did since the boot, and how often it was too hot.
 *
 *   cpu0 100 0 50 2000 7 ...    ->  node_cpu_seconds_total{cpu="0",mode="user"} 1, ...
 *
 * See proc(5). Lines of other shapes, and columns that an old kernel lacks, are left out.
 */
import type { HostCollector } from '../host-collector.ts';
import type { HostFiles } from '../host-files.ts';
import {
  counter,
  fieldNumber,
  type HostMetric,
  type HostSample,
  sampleOf,
  splitFields,
} from '../host-sample.ts';

/** USER_HZ: the unit of the columns on every Linux that Node runs on. */
const ticksPerSecond = 100;
const modes = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
/** Behind the modes: time that is also counted in `user` and `nice`. */
const guestModes = ['user', 'nice'] as const;
/** The kernel's idle times go back by some ticks now and then; by more, the processor was taken away and came back. */
const resetSeconds = 3;

const cpuSeconds = counter('node_cpu_seconds_total', 'Seconds that each processor spent in each mode.');
const guestSeconds = counter(
  'node_cpu_guest_seconds_total',
  'Seconds that each processor ran virtual machines.',
);
const coreThrottles = counter(
  'node_cpu_core_throttles_total',
  'Number of times that this processor core was throttled.',
);
const packageThrottles = counter(
  'node_cpu_package_throttles_total',
  'Number of times that this processor package was throttled.',
);

export const cpuCollector: HostCollector = {
  name: 'cpu',
  isDefault: true,
  reads: '/proc/stat, /sys/devices/system/cpu/cpu*/thermal_throttle',
  makes: 'node_cpu_seconds_total, node_cpu_guest_seconds_total, node_cpu_*_throttles_total',
  create: (files) => {
    const steady = new SteadyCounters();
    return () => [...steady.apply(parseCpuSeconds(files.sharedProc('stat'))), ...throttles(files)];
  },
};

export function parseCpuSeconds(text: string): HostSample[] {
  const samples: HostSample[] = [];
  for (const line of text.split('\n')) {
    // The processors stand first, and the lines behind them may be long.
    if (!line.startsWith('cpu')) break;
    const [name, ...ticks] = splitFields(line);
    const cpu = /^cpu(\d+)$/.exec(name!)?.[1];
    if (cpu !== undefined) samples.push(...cpuSamples(cpu, ticks));
  }
  return samples;
}

function cpuSamples(cpu: string, ticks: readonly string[]): HostSample[] {
  const sample = (metric: HostMetric, mode: string, index: number): HostSample[] =>
    sampleOf(metric, fieldNumber(ticks[index]) / ticksPerSecond, { cpu, mode });
  return [
    ...modes.flatMap((mode, i) => sample(cpuSeconds, mode, i)),
    ...guestModes.flatMap((mode, i) => sample(guestSeconds, mode, modes.length + i)),
  ];
}

/**
 * Keeps counters from going back: `idle` and `iowait` do, and a rate would take that for a reset, so for the whole time
 * since the boot. A real reset (the processor was off) is a step of more than resetSeconds, and passes.
 */
class SteadyCounters {
  #last = new Map<string, number>();

  apply(samples: readonly HostSample[]): HostSample[] {
    const next = new Map<string, number>();
    const steady = samples.map((sample) => {
      const key = `${sample.metric.name} ${sample.labels.cpu} ${sample.labels.mode}`;
      const last = this.#last.get(key) ?? 0;
      const isSlip = sample.value < last && last - sample.value < resetSeconds;
      const value = isSlip ? last : sample.value;
      next.set(key, value);
      return isSlip ? { ...sample, value } : sample;
    });
    this.#last = next;
    return steady;
  }
}

/** Each core and package has its counter in the directory of each of its threads. */
function throttles(files: HostFiles): HostSample[] {
  const samples = new Map<string, HostSample[]>();
  const base = files.sys('devices/system/cpu');
  for (const cpu of files.list(base, /^cpu\d+$/)) {
    if (files.list(`${base}/${cpu}/thermal_throttle`).length === 0) continue;
    const read = (name: string): string | undefined => files.attribute(`${base}/${cpu}/${name}`);
    const packageId = read('topology/physical_package_id');
    const core = read('topology/core_id');
    if (packageId === undefined || core === undefined) continue;
    const coreCount = fieldNumber(read('thermal_throttle/core_throttle_count'));
    const packageCount = fieldNumber(read('thermal_throttle/package_throttle_count'));
    samples.set(
      `core ${packageId} ${core}`,
      sampleOf(coreThrottles, coreCount, { package: packageId, core }),
    );
    samples.set(`package ${packageId}`, sampleOf(packageThrottles, packageCount, { package: packageId }));
  }
  return [...samples.values()].flat();
}
