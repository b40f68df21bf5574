/** All collectors, in the order in which they run. docs/agent/host-and-containers.md has the same list. */
import { arpCollector } from './collectors/arp.ts';
import { bondingCollector } from './collectors/bonding.ts';
import { conntrackCollector } from './collectors/conntrack.ts';
import { cpuCollector } from './collectors/cpu.ts';
import { cpuInfoCollector } from './collectors/cpu-info.ts';
import { cpufreqCollector } from './collectors/cpufreq.ts';
import { diskstatsCollector } from './collectors/diskstats.ts';
import { dmiCollector } from './collectors/dmi.ts';
import { edacCollector } from './collectors/edac.ts';
import { entropyCollector } from './collectors/entropy.ts';
import { filefdCollector } from './collectors/filefd.ts';
import { filesystemCollector } from './collectors/filesystem.ts';
import { hwmonCollector } from './collectors/hwmon.ts';
import { loadavgCollector } from './collectors/loadavg.ts';
import { mdadmCollector } from './collectors/mdadm.ts';
import { meminfoCollector } from './collectors/meminfo.ts';
import { netclassCollector } from './collectors/netclass.ts';
import { netdevCollector } from './collectors/netdev.ts';
import { netstatCollector } from './collectors/netstat.ts';
import { nvmeCollector } from './collectors/nvme.ts';
import { osCollector } from './collectors/os.ts';
import { pressureCollector } from './collectors/pressure.ts';
import { processesCollector } from './collectors/processes.ts';
import { raplCollector } from './collectors/rapl.ts';
import { schedstatCollector } from './collectors/schedstat.ts';
import { selinuxCollector } from './collectors/selinux.ts';
import { sockstatCollector } from './collectors/sockstat.ts';
import { softnetCollector } from './collectors/softnet.ts';
import { statCollector } from './collectors/stat.ts';
import { thermalZoneCollector } from './collectors/thermal-zone.ts';
import { timeCollector } from './collectors/time.ts';
import { udpQueuesCollector } from './collectors/udp-queues.ts';
import { unameCollector } from './collectors/uname.ts';
import { vmstatCollector } from './collectors/vmstat.ts';
import type { HostCollector } from './host-collector.ts';

export const hostCollectors: readonly HostCollector[] = [
  cpuCollector,
  cpufreqCollector,
  cpuInfoCollector,
  loadavgCollector,
  pressureCollector,
  schedstatCollector,
  statCollector,
  processesCollector,
  meminfoCollector,
  vmstatCollector,
  diskstatsCollector,
  filesystemCollector,
  mdadmCollector,
  nvmeCollector,
  filefdCollector,
  netdevCollector,
  netclassCollector,
  netstatCollector,
  sockstatCollector,
  softnetCollector,
  udpQueuesCollector,
  conntrackCollector,
  arpCollector,
  bondingCollector,
  entropyCollector,
  timeCollector,
  unameCollector,
  osCollector,
  dmiCollector,
  selinuxCollector,
  hwmonCollector,
  thermalZoneCollector,
  raplCollector,
  edacCollector,
];

export const collectorNames = hostCollectors.map(({ name }) => name);

/** Returns the default collectors with those of `on`, without those of `off`. */
export function chosenCollectors(on: readonly string[], off: readonly string[]): HostCollector[] {
  return hostCollectors.filter(
    ({ name, isDefault }) => (isDefault || on.includes(name)) && !off.includes(name),
  );
}
