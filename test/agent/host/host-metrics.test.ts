/**
 * Goal: a host's facts arrive as remote write with job and instance, and what is missing is said, not fatal.
 * Method: a directory that stands for /proc and changes; then the machine's own /proc where there is one.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, expect, test } from 'vitest';
import { collectorNames } from '#agent/host/collector-table.ts';
import { type HostMetrics, type HostMetricsOptions, startHostMetrics } from '#agent/host/host-metrics.ts';
import { renderRequest } from '#test/wire/remote-write/request-text.ts';
import { MemoryTransport, until } from '../scrape/memory-transport.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A directory with these files below it. */
function procWith(files: Record<string, string>): string {
  const path = mkdtempSync(join(tmpdir(), 'sonde-proc-'));
  cleanups.push(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(path, name, '..'), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

function start(options: Partial<HostMetricsOptions>): { host: HostMetrics; transport: MemoryTransport } {
  const transport = new MemoryTransport();
  const log = pino({ enabled: false });
  const host = startHostMetrics({
    intervalMs: 60_000,
    sysPath: '/nonexistent',
    rootPath: '/nonexistent',
    transport,
    tenant: 'acme',
    node: 'n1',
    log,
    ...options,
  });
  cleanups.push(() => host.stop({ drainMs: 100 }));
  return { host, transport };
}

const allBut = (name: string): string[] => collectorNames.filter((other) => other !== name);
const own = 'instance="n1",job="node"';

test('files that are there are read, the others are named once', async () => {
  const procPath = procWith({ loadavg: '0.5 0.25 0.125 1/2 3\n' });
  const lines: string[] = [];
  const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(line) });
  const { host, transport } = start({ procPath, intervalMs: 20, now: () => 1_700_000_000_000, log });
  await until(() => transport.envelopes.length === 3);
  const [envelope] = transport.envelopes;
  expect(envelope).toMatchObject({ signal: 'remote_write', tenant: 'acme' });
  const samples = renderRequest(envelope!.bytes);
  expect(samples.filter((line) => !/^node_(?:scrape_|selinux|time_|udp)/.test(line))).toEqual([
    `node_load1{${own}} 0.5 @1700000000000 gauge "Mean number of runnable threads over 1 min."`,
    `node_load5{${own}} 0.25 @1700000000000 gauge "Mean number of runnable threads over 5 min."`,
    `node_load15{${own}} 0.125 @1700000000000 gauge "Mean number of runnable threads over 15 min."`,
    `up{${own}} 1 @1700000000000 gauge "Whether the host was read."`,
  ]);
  const success = (collector: string): string | undefined =>
    samples.find((line) => line.startsWith(`node_scrape_collector_success{collector="${collector}"`));
  expect(success('loadavg')).toContain('} 1 @');
  expect(success('meminfo')).toContain('} 0 @');
  expect(success('hwmon')).toContain('} 0 @');
  expect(success('thermal_zone')).toContain('} 1 @');
  expect(success('processes')).toBeUndefined();
  const { skipped } = host.status();
  expect(skipped.map((fact) => fact.slice(procPath.length + 1).replace(/: ENOENT.*/, ''))).toEqual([
    'stat',
    'meminfo',
    'vmstat',
    'diskstats',
    'mounts',
    'sys/fs/file-nr',
    'net/dev',
    'net/netstat',
    'net/sockstat',
    'net/softnet_stat',
    'net/arp',
    'sys/kernel/random/entropy_avail',
    'sys/kernel/ostype',
  ]);
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toMatchObject({
    level: 40,
    source: 'the host',
    msg: 'some files cannot be read',
    skipped,
    advice: expect.stringContaining('host.proc_path /host/proc'),
  });
});

test('collectors can be chosen', async () => {
  const procPath = procWith({ '7/stat': '7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 5 5 0 0 20 0 3 0 99 1 1' });
  const { transport } = start({ procPath, collectorsOn: ['processes'], collectorsOff: allBut('processes') });
  await until(() => transport.envelopes.length === 1);
  expect(transport.scrapes()[0]!.filter((line) => !line.startsWith('node_scrape_'))).toEqual([
    `node_processes_pids{${own}} 1`,
    `node_processes_state{${own},state="S"} 1`,
    `node_processes_threads{${own}} 3`,
    `up{${own}} 1`,
  ]);
});

test('a device that is gone gets one stale marker, and stop ends all series', async () => {
  const line = (device: string): string => `${device}: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n`;
  const procPath = procWith({ 'net/dev': line('eth0') + line('veth1') });
  const { host, transport } = start({ procPath, intervalMs: 20, collectorsOff: allBut('netdev') });
  const sent = (): string[] => transport.scrapes().flat();
  await until(() => sent().includes(`node_network_receive_bytes_total{device="veth1",${own}} 1`));
  writeFileSync(join(procPath, 'net/dev'), line('eth0'));
  const stale = `node_network_receive_bytes_total{device="veth1",${own}} stale`;
  await until(() => sent().includes(stale) && transport.scrapes().at(-1)!.length === 19);
  await host.stop();
  expect(sent().filter((text) => text === stale)).toHaveLength(1);
  const last = transport.scrapes().at(-1)!;
  expect(last).toHaveLength(19);
  expect(last.every((text) => text.endsWith(' stale'))).toBe(true);
});

test("process 1's view of mounts and network is preferred, and mounts are looked for below rootPath", async () => {
  const rootPath = mkdtempSync(join(tmpdir(), 'sonde-root-'));
  cleanups.push(() => rmSync(rootPath, { recursive: true }));
  mkdirSync(join(rootPath, 'data'));
  const procPath = procWith({
    '1/mounts': '/dev/sda /data ext4 ro 0 0\n/dev/sdb /gone ext4 rw 0 0\n',
    mounts: '/dev/sdc / ext4 rw 0 0\n',
  });
  const { transport } = start({ procPath, rootPath, collectorsOff: allBut('filesystem') });
  await until(() => transport.envelopes.length === 1);
  const lines = transport.scrapes()[0]!.filter((line) => line.startsWith('node_filesystem_'));
  const data = `device="/dev/sda",fstype="ext4",${own},mountpoint="/data"`;
  const gone = `device="/dev/sdb",fstype="ext4",${own},mountpoint="/gone"`;
  expect(lines.filter((text) => /readonly|error/.test(text))).toEqual([
    `node_filesystem_device_error{${data}} 0`,
    `node_filesystem_device_error{${gone}} 1`,
    `node_filesystem_readonly{${data}} 1`,
    `node_filesystem_readonly{${gone}} 0`,
  ]);
  // Sizes and files are known of the one that is there.
  expect(lines).toHaveLength(9);
  const value = (metric: string): number =>
    Number(
      lines
        .find((line) => line.startsWith(`${metric}{`))!
        .split(' ')
        .at(-1),
    );
  expect(value('node_filesystem_size_bytes')).toBeGreaterThan(value('node_filesystem_free_bytes'));
  expect(value('node_filesystem_free_bytes')).toBeGreaterThanOrEqual(value('node_filesystem_avail_bytes'));
  expect(value('node_filesystem_avail_bytes')).toBeGreaterThan(0);
});

// Only Linux has /proc: elsewhere there is nothing to read.
if (!existsSync('/proc/stat')) console.warn("SKIPPED: reading this machine's /proc: there is none");
test.skipIf(!existsSync('/proc/stat'))("this machine's /proc is understood", async () => {
  const { host, transport } = start({ sysPath: '/sys', rootPath: '/' });
  await until(() => transport.envelopes.length === 1);
  const names = new Set(transport.scrapes()[0]!.map((line) => line.replace(/\{.*/, '')));
  for (const name of [
    'node_cpu_seconds_total',
    'node_memory_MemTotal_bytes',
    'node_memory_MemAvailable_bytes',
    'node_load1',
    'node_network_receive_bytes_total',
    'node_boot_time_seconds',
    'node_uname_info',
    'up',
  ]) {
    expect(names).toContain(name);
  }
  expect(transport.scrapes()[0]).toHaveLength(host.status().samples);
});
