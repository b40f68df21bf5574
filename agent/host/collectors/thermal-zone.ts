/**
 * /sys/class/thermal: temperatures of zones, and what cools them.
 *
 *   thermal_zone0/temp "41000"         ->  node_thermal_zone_temp{zone="0",type="x86_pkg_temp"} 41
 *   cooling_device0/cur_state "0"      ->  node_cooling_device_cur_state{name="0",type="Processor"} 0
 */
import type { HostCollector } from '../host-collector.ts';
import { gauge, type HostSample, sampleOf, signedNumber } from '../host-sample.ts';

const zoneTemperature = gauge('node_thermal_zone_temp', 'Temperature of the zone, in degrees Celsius.');
const currentState = gauge('node_cooling_device_cur_state', 'How hard the device cools.');
const maxState = gauge('node_cooling_device_max_state', 'How hard the device can cool.');

export const thermalZoneCollector: HostCollector = {
  name: 'thermal_zone',
  isDefault: true,
  reads: '/sys/class/thermal',
  makes: 'node_thermal_zone_temp, node_cooling_device_cur_state, node_cooling_device_max_state',
  create: (files) => async () => {
    const base = files.sys('class/thermal');
    const samples: HostSample[] = [];
    const read = async (path: string): Promise<number> => signedNumber(await files.slowAttribute(path));
    for (const zone of files.list(base, /^thermal_zone\d+$/)) {
      const labels = {
        zone: zone.slice('thermal_zone'.length),
        type: files.attribute(`${base}/${zone}/type`) ?? '',
      };
      samples.push(...sampleOf(zoneTemperature, (await read(`${base}/${zone}/temp`)) / 1000, labels));
    }
    for (const device of files.list(base, /^cooling_device\d+$/)) {
      const labels = {
        name: device.slice('cooling_device'.length),
        type: files.attribute(`${base}/${device}/type`) ?? '',
      };
      samples.push(
        ...sampleOf(currentState, await read(`${base}/${device}/cur_state`), labels),
        ...sampleOf(maxState, await read(`${base}/${device}/max_state`), labels),
      );
    }
    return samples;
  },
};
