/** /proc/sys/kernel: what uname says  ->  node_uname_info{sysname="Linux",release="6.18.0",nodename="n1",...} 1 */
import { machine } from 'node:os';
import type { HostCollector } from '../host-collector.ts';
import { gauge, sampleOf } from '../host-sample.ts';

const uname = gauge('node_uname_info', 'What uname says about the system.');

export const unameCollector: HostCollector = {
  name: 'uname',
  isDefault: true,
  reads: '/proc/sys/kernel/{ostype,osrelease,version,hostname,domainname}',
  makes: 'node_uname_info',
  create: (files) => () => {
    const fact = (name: string): string => files.proc(`sys/kernel/${name}`).trim();
    return sampleOf(uname, 1, {
      sysname: fact('ostype'),
      release: fact('osrelease'),
      version: fact('version'),
      nodename: fact('hostname'),
      domainname: fact('domainname'),
      machine: machine(),
    });
  },
};
