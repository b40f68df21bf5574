/**
 * /proc/net/sockstat and sockstat6: sockets in use.
 *
 *   sockets: used 14                 ->  node_sockstat_sockets_used 14
 *   TCP: inuse 1 orphan 0 mem 2      ->  node_sockstat_TCP_inuse 1, ..., node_sockstat_TCP_mem 2, node_sockstat_TCP_mem_bytes 8192
 */
import type { HostCollector } from '../host-collector.ts';
import { fieldNumber, gauge, type HostSample, sampleOf, splitFields } from '../host-sample.ts';
import { pageBytes } from '../page-size.ts';

export const sockstatCollector: HostCollector = {
  name: 'sockstat',
  isDefault: true,
  reads: '/proc/1/net or /proc/net: sockstat, sockstat6',
  makes: 'node_sockstat_*',
  create: (files) => {
    const bytesOfPage = pageBytes(files.paths.procPath);
    return () => [
      ...parseSockstat(files.proc('1/net/sockstat', 'net/sockstat'), bytesOfPage),
      ...parseSockstat(files.procIfAny('1/net/sockstat6', 'net/sockstat6') ?? '', bytesOfPage),
    ];
  },
};

/** `mem` is in pages, as the kernel counts it; `mem_bytes` is made of it. */
export function parseSockstat(text: string, bytesOfPage: number): HostSample[] {
  const samples: HostSample[] = [];
  for (const line of text.split('\n')) {
    const [protocol, ...pairs] = splitFields(line);
    if (!/^\w+:$/.test(protocol!)) continue;
    const add = (name: string, value: number): void => {
      const key = `${protocol!.slice(0, -1)}_${name}`;
      samples.push(...sampleOf(gauge(`node_sockstat_${key}`, `${key} of the sockets.`), value));
    };
    for (let i = 0; i + 1 < pairs.length; i += 2) {
      if (!/^\w+$/.test(pairs[i]!)) continue;
      const value = fieldNumber(pairs[i + 1]);
      add(pairs[i]!, value);
      if (pairs[i] === 'mem') add('mem_bytes', value * bytesOfPage);
    }
  }
  return samples;
}
