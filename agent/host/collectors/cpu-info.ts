/**
 * /proc/cpuinfo: which processors these are. Off by default, as in node_exporter (--collector.cpu.info).
 *
 *   processor : 0 ... model name : Intel(R) Xeon(R)   ->  node_cpu_info{cpu="0",model_name="Intel(R) Xeon(R)",...} 1
 */
import type { HostCollector } from '../host-collector.ts';
import { gauge, type HostSample, sampleOf } from '../host-sample.ts';

const info = gauge('node_cpu_info', 'What the kernel says of the processor.');
/** Names in /proc/cpuinfo, and the labels that they become. */
const labelNames = new Map([
  ['processor', 'cpu'],
  ['physical id', 'package'],
  ['core id', 'core'],
  ['vendor_id', 'vendor'],
  ['cpu family', 'family'],
  ['model', 'model'],
  ['model name', 'model_name'],
  ['microcode', 'microcode'],
  ['stepping', 'stepping'],
  ['cache size', 'cachesize'],
]);

export const cpuInfoCollector: HostCollector = {
  name: 'cpu_info',
  isDefault: false,
  reads: '/proc/cpuinfo',
  makes: 'node_cpu_info',
  create: (files) => () => parseCpuInfo(files.proc('cpuinfo')),
};

export function parseCpuInfo(text: string): HostSample[] {
  return text.split(/\n\s*\n/).flatMap((section) => {
    const labels: Record<string, string> = {};
    for (const line of section.split('\n')) {
      const colon = line.indexOf(':');
      const label = labelNames.get(line.slice(0, colon).trim());
      if (label !== undefined) labels[label] = line.slice(colon + 1).trim();
    }
    return labels.cpu === undefined ? [] : sampleOf(info, 1, labels);
  });
}
