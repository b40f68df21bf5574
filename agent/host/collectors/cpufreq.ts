/** /sys/devices/system/cpu/cpu0/cpufreq: scaling_cur_freq "1219917"  ->  node_cpu_scaling_frequency_hertz{cpu="0"} 1219917000 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

/** The files hold kilohertz. */
const frequencies = [
  ['cpuinfo_cur_freq', gauge('node_cpu_frequency_hertz', 'Frequency of the processor.')],
  ['cpuinfo_min_freq', gauge('node_cpu_frequency_min_hertz', 'Least frequency of the processor.')],
  ['cpuinfo_max_freq', gauge('node_cpu_frequency_max_hertz', 'Largest frequency of the processor.')],
  ['scaling_cur_freq', gauge('node_cpu_scaling_frequency_hertz', 'Frequency that was asked for.')],
  [
    'scaling_min_freq',
    gauge('node_cpu_scaling_frequency_min_hertz', 'Least frequency that may be asked for.'),
  ],
  [
    'scaling_max_freq',
    gauge('node_cpu_scaling_frequency_max_hertz', 'Largest frequency that may be asked for.'),
  ],
] as const;
const governor = gauge('node_cpu_scaling_governor', 'Which governor chooses the frequency.');

export const cpufreqCollector: HostCollector = {
  name: 'cpufreq',
  isDefault: true,
  reads: '/sys/devices/system/cpu/cpu*/cpufreq',
  makes: 'node_cpu_frequency_*hertz, node_cpu_scaling_frequency_*hertz, node_cpu_scaling_governor',
  create: (files) => async () => {
    const base = files.sys('devices/system/cpu');
    const samples: HostSample[] = [];
    for (const name of files.list(base, /^cpu\d+$/)) {
      const path = `${base}/${name}/cpufreq`;
      const present = new Set(files.list(path));
      const cpu = name.slice(3);
      for (const [file, metric] of frequencies) {
        // The hardware is asked for some of them.
        const text = present.has(file) ? await files.slowAttribute(`${path}/${file}`) : undefined;
        samples.push(...sampleOf(metric, fieldNumber(text) * 1000, { cpu }));
      }
      if (!present.has('scaling_governor')) continue;
      const current = files.attribute(`${path}/scaling_governor`);
      const available = splitFields(files.attribute(`${path}/scaling_available_governors`) ?? '');
      for (const name of available.filter((candidate) => candidate !== ''))
        samples.push(...sampleOf(governor, name === current ? 1 : 0, { cpu, governor: name }));
    }
    return samples;
  },
};
