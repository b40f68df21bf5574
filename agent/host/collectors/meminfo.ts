/**
 * /proc/meminfo: how the memory is used.
 *
 *   MemFree:  1024 kB         ->  node_memory_MemFree_bytes 1048576
 *   Active(anon):  4 kB       ->  node_memory_Active_anon_bytes 4096
 *   HugePages_Total:  3       ->  node_memory_HugePages_Total 3
 */
import type { HostCollector } from '../host-collector.ts';
import { gauge, type HostSample } from '../host-sample.ts';

const linePattern = /^([A-Za-z0-9_]+)(?:\(([A-Za-z0-9_]+)\))?:\s+(\d+)( kB)?\s*$/;

export const meminfoCollector: HostCollector = {
  name: 'meminfo',
  isDefault: true,
  reads: '/proc/meminfo',
  makes: 'node_memory_<field>_bytes, node_memory_HugePages_*',
  create: (files) => () => parseMemoryInfo(files.proc('meminfo')),
};

/** Lines of other shapes are left out. */
export function parseMemoryInfo(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const match = linePattern.exec(line);
    if (!match) return [];
    const [, field, part, amount, unit] = match;
    const name = `node_memory_${field}${part ? `_${part}` : ''}${unit ? '_bytes' : ''}`;
    const metric = gauge(name, `${field}${part ? `(${part})` : ''} of /proc/meminfo.`);
    return [{ metric, labels: {}, value: Number(amount) * (unit ? 1024 : 1) }];
  });
}
