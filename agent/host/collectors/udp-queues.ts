/**
 * /proc/net/udp and udp6: bytes that wait in UDP sockets.
 *
 *   sl local_address rem_address st tx_queue:rx_queue ...   ->  node_udp_queues{queue="tx",ip="v4"} 0
 *    0: 0100007F:0035 00000000:0000 07 00000000:00000000        node_udp_queues{queue="rx",ip="v4"} 0
 */
import { type HostCollector, NoDataError } from '../host-collector.ts';
import { gauge, type HostSample, hexNumber, sampleOf, splitFields } from '../host-sample.ts';

const queues = gauge('node_udp_queues', 'Bytes that wait in UDP sockets, by queue.');

export const udpQueuesCollector: HostCollector = {
  name: 'udp_queues',
  isDefault: true,
  reads: '/proc/1/net or /proc/net: udp, udp6',
  makes: 'node_udp_queues',
  create: (files) => () => {
    const v4 = files.procIfAny('1/net/udp', 'net/udp');
    const v6 = files.procIfAny('1/net/udp6', 'net/udp6');
    if (v4 === undefined && v6 === undefined) throw new NoDataError('the kernel has no UDP sockets');
    return [
      ...(v4 === undefined ? [] : parseUdpQueues(v4, 'v4')),
      ...(v6 === undefined ? [] : parseUdpQueues(v6, 'v6')),
    ];
  },
};

export function parseUdpQueues(text: string, ip: 'v4' | 'v6'): HostSample[] {
  let sent = 0;
  let received = 0;
  for (const line of text.split('\n').slice(1)) {
    const [tx, rx] = (splitFields(line)[4] ?? '').split(':');
    sent += hexNumber(tx) || 0;
    received += hexNumber(rx) || 0;
  }
  return [...sampleOf(queues, sent, { queue: 'tx', ip }), ...sampleOf(queues, received, { queue: 'rx', ip })];
}
