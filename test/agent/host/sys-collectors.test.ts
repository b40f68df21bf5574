/**
 * Goal: the attributes of /sys become node_exporter's samples, with its units.
 * Method: a table of trees as machines have them, and the samples as text; then what hangs, and what is forbidden.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { BoundedCalls } from '#agent/host/bounded-calls.ts';
import { cpuCollector } from '#agent/host/collectors/cpu.ts';
import { sensorSamples } from '#agent/host/collectors/hwmon.ts';
import { thermalZoneCollector } from '#agent/host/collectors/thermal-zone.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import { collected, renderSamples } from './collected.ts';

const cpu0 = 'sys/devices/system/cpu/cpu0';
const eth0 = 'sys/class/net/eth0';

test.each<[title: string, collector: string, files: Record<string, string>, samples: string[]]>([
  [
    'frequencies and governors',
    'cpufreq',
    {
      [`${cpu0}/cpufreq/scaling_cur_freq`]: '1219917\n',
      [`${cpu0}/cpufreq/cpuinfo_max_freq`]: '3700000\n',
      [`${cpu0}/cpufreq/scaling_governor`]: 'powersave\n',
      [`${cpu0}/cpufreq/scaling_available_governors`]: 'performance powersave\n',
      'sys/devices/system/cpu/cpu1/online': '1\n',
    },
    [
      'node_cpu_frequency_max_hertz{cpu="0"} 3700000000',
      'node_cpu_scaling_frequency_hertz{cpu="0"} 1219917000',
      'node_cpu_scaling_governor{cpu="0",governor="performance"} 0',
      'node_cpu_scaling_governor{cpu="0",governor="powersave"} 1',
    ],
  ],
  [
    'throttling is counted once for a core of two threads',
    'cpu',
    {
      'proc/stat': 'cpu  1 2 3\ncpu0 100\nintr 5\n',
      ...Object.fromEntries(
        ['cpu0', 'cpu1'].flatMap((cpu) => [
          [`sys/devices/system/cpu/${cpu}/thermal_throttle/core_throttle_count`, '5\n'],
          [`sys/devices/system/cpu/${cpu}/thermal_throttle/package_throttle_count`, '30\n'],
          [`sys/devices/system/cpu/${cpu}/topology/physical_package_id`, '0\n'],
          [`sys/devices/system/cpu/${cpu}/topology/core_id`, '0\n'],
        ]),
      ),
    },
    [
      'node_cpu_seconds_total{cpu="0",mode="user"} 1',
      'node_cpu_core_throttles_total{package="0",core="0"} 5',
      'node_cpu_package_throttles_total{package="0"} 30',
    ],
  ],
  [
    'a network device',
    'netclass',
    {
      [`${eth0}/address`]: '02:fc:00:00:00:01\n',
      [`${eth0}/broadcast`]: 'ff:ff:ff:ff:ff:ff\n',
      [`${eth0}/operstate`]: 'up\n',
      [`${eth0}/duplex`]: 'full\n',
      [`${eth0}/ifalias`]: '\n',
      [`${eth0}/flags`]: '0x1003\n',
      [`${eth0}/dev_id`]: '0x20\n',
      [`${eth0}/mtu`]: '1400\n',
      [`${eth0}/speed`]: '1000\n',
      [`${eth0}/carrier_changes`]: '2\n',
      'sys/class/net/bonding_masters': '\n',
    },
    [
      'node_network_carrier_changes_total{device="eth0"} 2',
      'node_network_device_id{device="eth0"} 32',
      'node_network_flags{device="eth0"} 4099',
      'node_network_mtu_bytes{device="eth0"} 1400',
      'node_network_speed_bytes{device="eth0"} 125000000',
      'node_network_info{device="eth0",operstate="up",address="02:fc:00:00:00:01",broadcast="ff:ff:ff:ff:ff:ff",duplex="full",adminstate="up"} 1',
      'node_network_up{device="eth0"} 1',
    ],
  ],
  [
    'bonded devices, one of them down',
    'bonding',
    {
      'sys/class/net/bonding_masters': 'bond0\n',
      'sys/class/net/bond0/bonding/slaves': 'eth0 eth4\n',
      'sys/class/net/bond0/lower_eth0/bonding_slave/mii_status': 'up\n',
      'sys/class/net/bond0/slave_eth4/bonding_slave/mii_status': 'down\n',
    },
    ['node_bonding_slaves{master="bond0"} 2', 'node_bonding_active{master="bond0"} 1'],
  ],
  [
    'sensors: a chip with a name, and no device',
    'hwmon',
    {
      'sys/class/hwmon/hwmon0/name': 'coretemp\n',
      'sys/class/hwmon/hwmon0/temp1_input': '41000\n',
      'sys/class/hwmon/hwmon0/temp1_label': 'Package id 0\n',
      'sys/class/hwmon/hwmon0/temp1_crit_alarm': '0\n',
      'sys/class/hwmon/hwmon0/fan1_input': '1200\n',
      'sys/class/hwmon/hwmon0/uevent': '',
    },
    [
      'node_hwmon_chip_names{chip="coretemp",chip_name="coretemp"} 1',
      'node_hwmon_fan_rpm{chip="coretemp",sensor="fan1"} 1200',
      'node_hwmon_temp_crit_alarm_celsius{chip="coretemp",sensor="temp1"} 0',
      'node_hwmon_temp_celsius{chip="coretemp",sensor="temp1"} 41',
      'node_hwmon_sensor_label{chip="coretemp",sensor="temp1",label="package_id_0"} 1',
    ],
  ],
  [
    'thermal zones; a broken one has no number',
    'thermal_zone',
    {
      'sys/class/thermal/thermal_zone0/temp': '-12376\n',
      'sys/class/thermal/thermal_zone0/type': 'cpu-thermal\n',
      'sys/class/thermal/thermal_zone1/type': 'gone\n',
      'sys/class/thermal/cooling_device0/type': 'Processor\n',
      'sys/class/thermal/cooling_device0/cur_state': '0\n',
      'sys/class/thermal/cooling_device0/max_state': '3\n',
    },
    [
      'node_thermal_zone_temp{zone="0",type="cpu-thermal"} -12.376',
      'node_cooling_device_cur_state{name="0",type="Processor"} 0',
      'node_cooling_device_max_state{name="0",type="Processor"} 3',
    ],
  ],
  [
    'memory errors',
    'edac',
    {
      'sys/devices/system/edac/mc/mc0/ce_count': '1\n',
      'sys/devices/system/edac/mc/mc0/ce_noinfo_count': '2\n',
      'sys/devices/system/edac/mc/mc0/ue_count': '5\n',
      'sys/devices/system/edac/mc/mc0/ue_noinfo_count': '6\n',
      'sys/devices/system/edac/mc/mc0/csrow0/ce_count': '3\n',
      'sys/devices/system/edac/mc/mc0/csrow0/ue_count': '4\n',
    },
    [
      'node_edac_correctable_errors_total{controller="0"} 1',
      'node_edac_csrow_correctable_errors_total{controller="0",csrow="unknown"} 2',
      'node_edac_uncorrectable_errors_total{controller="0"} 5',
      'node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="unknown"} 6',
      'node_edac_csrow_correctable_errors_total{controller="0",csrow="0"} 3',
      'node_edac_csrow_uncorrectable_errors_total{controller="0",csrow="0"} 4',
    ],
  ],
  [
    'an NVMe device',
    'nvme',
    { 'sys/class/nvme/nvme0/model': 'Samsung SSD 970 PRO 512GB\n', 'sys/class/nvme/nvme0/state': 'live\n' },
    ['node_nvme_info{device="nvme0",model="Samsung SSD 970 PRO 512GB",state="live"} 1'],
  ],
  ['SELinux, off', 'selinux', {}, ['node_selinux_enabled{} 0']],
  [
    'the firmware',
    'dmi',
    { 'sys/class/dmi/id/sys_vendor': 'QEMU\n', 'sys/class/dmi/id/product_name': 'Standard PC\n' },
    ['node_dmi_info{product_name="Standard PC",system_vendor="QEMU"} 1'],
  ],
  [
    'SELinux that only warns',
    'selinux',
    { 'sys/fs/selinux/enforce': '0' },
    ['node_selinux_enabled{} 1', 'node_selinux_current_mode{} 0'],
  ],
])('%s', async (_title, collector, files, samples) => {
  expect(await collected(collector, files)).toEqual(samples);
});

test('energy of two packages; zones of one name are numbered', async () => {
  const zone = (path: string, name: string, energy: string): Record<string, string> => ({
    [`sys/class/powercap/${path}/name`]: `${name}\n`,
    [`sys/class/powercap/${path}/energy_uj`]: `${energy}\n`,
  });
  const lines = await collected('rapl', {
    'sys/class/powercap/intel-rapl/enabled': '1\n',
    ...zone('intel-rapl:0', 'package-0', '240422366267'),
    ...zone('intel-rapl:0:0', 'core', '118821284256'),
    ...zone('intel-rapl:1', 'package-1', '1000000'),
    ...zone('intel-rapl:1:0', 'core', '2000000'),
  });
  expect(lines.map((line) => line.replace(/path="[^"]*powercap\//, 'path="'))).toEqual([
    'node_rapl_package_joules_total{index="0",path="intel-rapl:0"} 240422.366267',
    'node_rapl_core_joules_total{index="0",path="intel-rapl:0:0"} 118821.284256',
    'node_rapl_package_joules_total{index="1",path="intel-rapl:1"} 1',
    'node_rapl_core_joules_total{index="1",path="intel-rapl:1:0"} 2',
  ]);
});

test.each([
  ['in', 'input', '1250', 'node_hwmon_in_volts{} 1.25'],
  ['curr', 'max', '2500', 'node_hwmon_curr_max_amps{} 2.5'],
  ['power', 'average', '65000000', 'node_hwmon_power_average_watt{} 65'],
  ['power', 'average_interval', '1000', 'node_hwmon_power_average_interval_seconds{} 1'],
  ['energy', 'input', '5000000', 'node_hwmon_energy_joule_total{} 5'],
  ['temp', 'type', '4', 'node_hwmon_temp_type{} 4'],
  ['fan', 'fault', '1', 'node_hwmon_fan_fault{} 1'],
  ['fan', 'alarm', '0', 'node_hwmon_fan_alarm{} 0'],
  ['fan', 'div', '2', 'node_hwmon_fan_div{} 2'],
  ['temp', 'beep', '1', 'node_hwmon_temp_beep_enabled{} 1'],
  ['pwm', '', '128', 'node_hwmon_pwm{} 128'],
  ['update_interval', '', '1500', 'node_hwmon_update_interval_seconds{} 1.5'],
])('the sensor file %s_%s', (type, element, text, sample) => {
  expect(renderSamples(sensorSamples(type, element, text, {}))).toEqual([sample]);
});

test('a call that hangs is given up, not repeated, and two of them keep others out', async () => {
  const calls = new BoundedCalls(10, 1_000);
  const gates = new Map<string, () => void>();
  const asked: string[] = [];
  const hang = (key: string): Promise<string | undefined> =>
    calls.run(key, () => {
      asked.push(key);
      return new Promise((resolve) => gates.set(key, () => resolve(key)));
    });
  expect(await hang('a')).toBeUndefined();
  expect(await hang('a')).toBeUndefined();
  expect(await hang('b')).toBeUndefined();
  expect(await calls.run('c', async () => 'c')).toBeUndefined();
  expect(asked).toEqual(['a', 'b']);
  gates.get('a')!();
  await delay(0);
  expect(await calls.run('c', async () => 'c')).toBe('c');
  expect(await calls.run('a', async () => 'a')).toBe('a');
  // A round's budget is spent, and comes back with the next.
  const slow = new BoundedCalls(1_000, 0);
  expect(await slow.run('e', () => delay(5, 'e'))).toBe('e');
  expect(await slow.run('f', async () => 'f')).toBeUndefined();
  slow.beginRound();
  expect(await slow.run('f', async () => 'f')).toBe('f');
  await expect(calls.run('d', () => Promise.reject(new Error('gone')))).rejects.toThrow('gone');
});

test('a sensor that hangs costs a second, once, and no other sensor', async ({ skip }) => {
  const path = mkdtempSync(join(tmpdir(), 'sonde-hang-'));
  const zone = (number: number): string => join(path, `sys/class/thermal/thermal_zone${number}`);
  for (const number of [0, 1]) mkdirSync(zone(number), { recursive: true });
  writeFileSync(join(zone(1), 'temp'), '41000\n');
  // To open a pipe that nobody writes to takes for ever.
  if (spawnSync('mkfifo', [join(zone(0), 'temp')]).status !== 0) return skip('mkfifo is not on this machine');
  const paths = { procPath: join(path, 'proc'), sysPath: join(path, 'sys'), rootPath: path };
  const collect = thermalZoneCollector.create(new HostFiles(paths));
  for (let reading = 0; reading < 3; reading++)
    expect(renderSamples(await collect(0))).toEqual(['node_thermal_zone_temp{zone="1"} 41']);
  await writeFile(join(zone(0), 'temp'), '42000\n');
  await delay(0);
  rmSync(path, { recursive: true });
});

test('a processor counter that slips back stays, and one that is reset begins anew', async () => {
  const path = mkdtempSync(join(tmpdir(), 'sonde-cpu-'));
  const paths = { procPath: path, sysPath: join(path, 'sys'), rootPath: path };
  const files = new HostFiles(paths);
  const collect = cpuCollector.create(files);
  const idle = async (ticks: number): Promise<number> => {
    writeFileSync(join(path, 'stat'), `cpu0 0 0 0 ${ticks}\n`);
    const samples = await collect(0);
    files.endReading();
    return samples.find(({ labels }) => labels.mode === 'idle')!.value;
  };
  expect(await idle(1000)).toBe(10);
  expect(await idle(990)).toBe(10);
  expect(await idle(995)).toBe(10);
  expect(await idle(1001)).toBe(10.01);
  expect(await idle(100)).toBe(1);
  rmSync(path, { recursive: true });
});
