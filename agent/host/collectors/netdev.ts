/**
 * /proc/net/dev: what each network device received and sent since the boot.
 *
 *   eth0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0   ->  node_network_receive_bytes_total{device="eth0"} 1000, ...
 */
import type { HostCollector } from '../host-collector.ts';
import { counter, fieldNumber, type HostSample, sampleOf, splitFields } from '../host-sample.ts';

const received = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'frame', 'compressed', 'multicast'];
const sent = ['bytes', 'packets', 'errs', 'drop', 'fifo', 'colls', 'carrier', 'compressed'];
const columns = [
  ...received.map((name) =>
    counter(`node_network_receive_${name}_total`, `Received ${name} of /proc/net/dev.`),
  ),
  ...sent.map((name) => counter(`node_network_transmit_${name}_total`, `Sent ${name} of /proc/net/dev.`)),
];

const noHandler = counter('node_network_receive_nohandler_total', 'Received packets that no handler took.');

/** Devices and counters of process 1 are the host's; those of this process are its own name space's. */
const paths = ['1/net/dev', 'net/dev'];

export const netdevCollector: HostCollector = {
  name: 'netdev',
  isDefault: true,
  reads: '/proc/1/net/dev or /proc/net/dev, /sys/class/net/*/statistics/rx_nohandler',
  makes: 'node_network_receive_*_total, node_network_transmit_*_total',
  create: (files) => () => {
    const samples = parseNetworkDevices(files.proc(...paths));
    const devices = new Set(samples.map(({ labels }) => labels.device!));
    for (const device of devices) {
      const count = files.attribute(files.sys('class/net', device, 'statistics/rx_nohandler'));
      samples.push(...sampleOf(noHandler, fieldNumber(count), { device }));
    }
    return samples;
  },
};

/** The two heading lines, and lines with other columns, are left out. */
export function parseNetworkDevices(text: string): HostSample[] {
  return text.split('\n').flatMap((line) => {
    // An alias such as eth0:1 has a colon in its name, and no blank need follow the last one.
    const colon = line.lastIndexOf(':');
    const device = line.slice(0, colon).trim();
    const values = splitFields(line.slice(colon + 1)).map(fieldNumber);
    if (colon < 0 || values.length !== columns.length || values.some(Number.isNaN)) return [];
    return columns.map((metric, i) => ({ metric, labels: { device }, value: values[i]! }));
  });
}
