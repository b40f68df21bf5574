/**
 * /sys/class/net: properties of network devices.
 *
 *   eth0/mtu "1400"          ->  node_network_mtu_bytes{device="eth0"} 1400
 *   eth0/speed "1000"        ->  node_network_speed_bytes{device="eth0"} 125000000
 *   eth0/operstate "up"      ->  node_network_up{device="eth0"} 1, node_network_info{device="eth0",operstate="up",...} 1
 *
 * The /sys of a container has the container's devices: host.sys_path must be the host's.
 */
import { setImmediate } from 'node:timers/promises';
import type { HostCollector } from '../host-collector.ts';
import type { HostFiles } from '../host-files.ts';
import {
  counter,
  gauge,
  type HostMetric,
  type HostSample,
  hexNumber,
  sampleOf,
  signedNumber,
} from '../host-sample.ts';

/** More devices than this are not looked at one by one. */
const devicesMax = 1_000;
/** Devices that are read before others have their turn: a node has one for each pod. */
const devicesPerTurn = 10;
const info = gauge('node_network_info', 'What the network device says of itself.');
const up = gauge('node_network_up', 'Whether the network device is up.');
const bitsPerMegabit = 1_000_000;

/** File, metric, and what a value is multiplied with. */
const attributes: readonly (readonly [file: string, HostMetric, factor: number])[] = [
  ['addr_assign_type', gauge('node_network_address_assign_type', 'Who chose the address.'), 1],
  ['carrier', gauge('node_network_carrier', 'Whether there is a carrier.'), 1],
  [
    'carrier_changes',
    counter('node_network_carrier_changes_total', 'Times that the carrier came or went.'),
    1,
  ],
  ['carrier_up_count', counter('node_network_carrier_up_changes_total', 'Times that the carrier came.'), 1],
  [
    'carrier_down_count',
    counter('node_network_carrier_down_changes_total', 'Times that the carrier went.'),
    1,
  ],
  ['dev_id', gauge('node_network_device_id', 'Number among devices of one address.'), 1],
  ['dormant', gauge('node_network_dormant', 'Whether the device waits for something.'), 1],
  ['flags', gauge('node_network_flags', 'The flags of the device.'), 1],
  ['ifindex', gauge('node_network_iface_id', 'The number of the device.'), 1],
  ['iflink', gauge('node_network_iface_link', 'The number of the device below it.'), 1],
  ['link_mode', gauge('node_network_iface_link_mode', 'The link mode of the device.'), 1],
  ['mtu', gauge('node_network_mtu_bytes', 'Largest packet.'), 1],
  ['name_assign_type', gauge('node_network_name_assign_type', 'Who chose the name.'), 1],
  ['netdev_group', gauge('node_network_net_dev_group', 'The group of the device.'), 1],
  ['speed', gauge('node_network_speed_bytes', 'Bytes a second that the device can do.'), bitsPerMegabit / 8],
  ['tx_queue_len', gauge('node_network_transmit_queue_length', 'Packets that can wait.'), 1],
  ['type', gauge('node_network_protocol_type', 'The protocol of the device.'), 1],
];

export const netclassCollector: HostCollector = {
  name: 'netclass',
  isDefault: true,
  reads: '/sys/class/net',
  makes:
    'node_network_{info,up,mtu_bytes,speed_bytes,carrier,carrier_*_total,flags,transmit_queue_length,...}',
  create: (files) => async () => {
    const devices = files.list(files.sys('class/net')).filter((device) => device !== 'bonding_masters');
    if (devices.length > devicesMax)
      files.noteLeftOut(files.sys('class/net'), `more than ${devicesMax} devices, the others are left out`);
    const samples: HostSample[] = [];
    for (const [i, device] of devices.slice(0, devicesMax).entries()) {
      samples.push(...deviceSamples(files, device));
      if (i % devicesPerTurn === devicesPerTurn - 1) await setImmediate();
    }
    return samples;
  },
};

function deviceSamples(files: HostFiles, device: string): HostSample[] {
  const base = files.sys('class/net', device);
  const read = (name: string): string => files.attribute(`${base}/${name}`) ?? '';
  const operstate = read('operstate');
  if (operstate === '') return [];
  const samples = attributes.flatMap(([file, metric, factor]) => {
    const text = read(file);
    const value = text.startsWith('0x') ? hexNumber(text) : signedNumber(text);
    return sampleOf(metric, value * factor, { device });
  });
  const labels = {
    device,
    operstate,
    address: read('address'),
    broadcast: read('broadcast'),
    duplex: read('duplex'),
    ifalias: read('ifalias'),
    adminstate: hexNumber(read('flags')) % 2 === 1 ? 'up' : 'down',
  };
  samples.push(...sampleOf(info, 1, labels), ...sampleOf(up, operstate === 'up' ? 1 : 0, { device }));
  return samples;
}
