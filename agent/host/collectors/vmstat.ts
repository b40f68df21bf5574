/** /proc/vmstat: "pgfault 12" -> node_vmstat_pgfault 12, for the fields that node_exporter takes by default. */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, type HostSample, sampleOf, untyped } from '../host-sample.ts';

/** As --collector.vmstat.fields. */
const wanted = /^(?:oom_kill|pgpg|pswp|pg.*fault)/;

export const vmstatCollector: HostCollector = {
  name: 'vmstat',
  isDefault: true,
  reads: '/proc/vmstat',
  makes: 'node_vmstat_oom_kill, node_vmstat_pgpg*, node_vmstat_pswp*, node_vmstat_pg*fault',
  create: (files) => () => parseVmstat(files.proc('vmstat')),
};

export function parseVmstat(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    const [name, value] = line.split(' ', 2);
    if (!/^\w+$/.test(name!) || !wanted.test(name!)) return [];
    return sampleOf(untyped(`node_vmstat_${name}`, `${name} of /proc/vmstat.`), fieldNumber(value));
  });
}
