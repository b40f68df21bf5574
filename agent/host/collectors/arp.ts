/** /proc/net/arp: "192.0.2.1 0x1 0x2 02:fc:00:00:00:05 * eth0"  ->  node_arp_entries{device="eth0"} 1 */
import type { HostCollector } from '../host-collector.ts';
import { gauge, type HostSample, splitFields } from '../host-sample.ts';

const entries = gauge('node_arp_entries', 'Neighbours in the ARP table, by device.');

export const arpCollector: HostCollector = {
  name: 'arp',
  isDefault: true,
  reads: '/proc/1/net/arp or /proc/net/arp',
  makes: 'node_arp_entries',
  create: (files) => () => parseArp(files.proc('1/net/arp', 'net/arp')),
};

export function parseArp(text: string): HostSample[] {
  const counts = new Map<string, number>();
  for (const line of text.split('\n').slice(1)) {
    const device = splitFields(line)[5];
    if (device !== undefined) counts.set(device, (counts.get(device) ?? 0) + 1);
  }
  return [...counts].map(([device, value]) => ({ metric: entries, labels: { device }, value }));
}
