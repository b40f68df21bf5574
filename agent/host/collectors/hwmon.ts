/**
 * /sys/class/hwmon: temperatures, fans, voltages and power that the machine's sensors measure.
 *
 *   hwmon0/temp1_input "41000"  ->  node_hwmon_temp_celsius{chip="platform_coretemp_0",sensor="temp1"} 41
 *   hwmon0/temp1_label "Core 0" ->  node_hwmon_sensor_label{chip="platform_coretemp_0",sensor="temp1",label="core_0"} 1
 *
 * Units as in the kernel's Documentation/hwmon/sysfs-interface.rst. A sensor may hang: it is given up after a second.
 */
import { realpathSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type HostCollector, NoDataError } from '../host-collector.ts';
import type { HostFiles } from '../host-files.ts';
import { counter, gauge, type HostMetric, type HostSample, sampleOf, signedNumber } from '../host-sample.ts';

const sensorFile =
  /^(vrm|beep_enable|update_interval|in|cpu|fan|pwm|temp|curr|power|energy|humidity|intrusion|freq)(\d*)(?:_(.+))?$/;
const sensorsMax = 2_000;
const chipNames = gauge('node_hwmon_chip_names', 'The name of a chip, for a person.');
const sensorLabel = gauge('node_hwmon_sensor_label', 'The label of a sensor, for a person.');

export const hwmonCollector: HostCollector = {
  name: 'hwmon',
  isDefault: true,
  reads: '/sys/class/hwmon',
  makes: 'node_hwmon_*',
  create: (files) => async () => {
    const base = files.sys('class/hwmon');
    const samples: HostSample[] = [];
    const chips = files.list(base);
    if (chips.length === 0) throw new NoDataError('the machine has no sensors');
    for (const chip of chips) samples.push(...(await chipSamples(files, `${base}/${chip}`)));
    return samples;
  },
};

async function chipSamples(files: HostFiles, path: string): Promise<HostSample[]> {
  const name = files.attribute(`${path}/name`) ?? '';
  const chip = chipOf(path, name);
  const samples = name === '' ? [] : sampleOf(chipNames, 1, { chip, chip_name: cleanName(name) });
  const seen = new Set<string>();
  // Old drivers have their files beside the device.
  for (const directory of [path, `${path}/device`]) {
    const names = files.list(directory, sensorFile);
    if (names.length > sensorsMax)
      files.noteLeftOut(directory, `more than ${sensorsMax} sensors, the others are left out`);
    for (const file of names.slice(0, sensorsMax)) {
      if (seen.has(file)) continue;
      seen.add(file);
      const [, type, number, element = ''] = sensorFile.exec(file)!;
      const text = await files.slowAttribute(`${directory}/${file}`);
      if (text === undefined) continue;
      const labels = { chip, sensor: `${type}${number === '' ? '0' : number}` };
      samples.push(...sensorSamples(type!, element, text, labels));
    }
  }
  return samples;
}

/** The device's place is stable over boots, the number of the chip is not. */
function chipOf(path: string, name: string): string {
  try {
    const device = realpathSync(`${path}/device`);
    const parts = [cleanName(basename(dirname(device))), cleanName(basename(device))].filter(
      (part) => part !== '',
    );
    if (parts.length > 0) return parts.join('_');
  } catch {
    // A virtual chip has no device: its name must do.
  }
  return cleanName(name) || cleanName(basename(path));
}

/** Lower case, and an underscore for all that a metric's name cannot have. */
function cleanName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9:_]/g, '_')
    .replace(/^_+|_+$/g, '');
}

/** Returns the sample of one file: `type` temp, `element` input (or crit, max_alarm, ...), `text` "41000". */
export function sensorSamples(
  type: string,
  element: string,
  text: string,
  labels: Readonly<Record<string, string>>,
): HostSample[] {
  if (element === 'label') return sampleOf(sensorLabel, 1, { ...labels, label: cleanName(text) });
  const value = signedNumber(text);
  const { metric, divisor } = sensorMetric(type, element);
  return sampleOf(metric, value / divisor, labels);
}

function sensorMetric(type: string, element: string): { metric: HostMetric; divisor: number } {
  const help = `Hardware monitor: ${type} ${element}`.trim();
  const name = `node_hwmon_${type}${element === '' || element === 'input' ? '' : `_${cleanName(element)}`}`;
  const of = (suffix: string, divisor: number, make = gauge): { metric: HostMetric; divisor: number } => ({
    metric: make(`${name}${suffix}`, help),
    divisor,
  });
  if (type === 'beep_enable') return { metric: gauge('node_hwmon_beep_enabled', help), divisor: 1 };
  if (type === 'vrm') return { metric: gauge('node_hwmon_voltage_regulator_version', help), divisor: 1 };
  if (type === 'update_interval')
    return { metric: gauge('node_hwmon_update_interval_seconds', help), divisor: 1000 };
  if (element === 'fault' || element === 'alarm') return of('', 1);
  if (element === 'beep') return of('_enabled', 1);
  if (type === 'in' || type === 'cpu') return of('_volts', 1000);
  if (type === 'temp' && element !== 'type') return of('_celsius', 1000);
  if (type === 'curr') return of('_amps', 1000);
  if (type === 'energy') return of('_joule_total', 1e6, counter);
  if (type === 'freq') return of('_freq_mhz', 1e6);
  if (type === 'power' && element === 'accuracy') return of('', 1e6);
  if (type === 'power' && element.startsWith('average_interval')) return of('_seconds', 1000);
  if (type === 'power') return of('_watt', 1e6);
  if (type === 'humidity') return of('', 1e6);
  if (type === 'fan' && ['input', 'min', 'max', 'target'].includes(element)) return of('_rpm', 1);
  return of('', 1);
}
