/**
 * Reads the host once: the files below /proc come in, samples come out, and a list of what could not be read.
 *
 * macOS has no /proc, and containers may hide parts of it: what is missing is left out and said, the rest is read.
 */
import { open } from 'node:fs/promises';
import { machine } from 'node:os';
import { join } from 'node:path';
import { errorMessage } from '#model/errors.ts';
import { parseCpuStat } from './cpu-stat.ts';
import { parseDiskStats } from './disk-stats.ts';
import type { FilesystemUsage } from './filesystem-usage.ts';
import { fieldNumber, gauge, type HostSample, splitFields } from './host-sample.ts';
import { parseLoadAverage } from './load-average.ts';
import { parseMemoryInfo } from './memory-info.ts';
import { type Mount, parseMountTable } from './mount-table.ts';
import { parseNetworkDevices } from './network-devices.ts';

export interface HostReading {
  readonly samples: readonly HostSample[];
  /** `path: reason` of each file that could not be read. */
  readonly skipped: readonly string[];
}

export interface HostPlaces {
  readonly procPath: string;
  readonly filesystems: FilesystemUsage;
  /** Unix milliseconds. */
  readonly nowMs: number;
}

/** Of one file below /proc: the largest, a stat file with many interrupts or a mount table, has a tenth of it. */
const fileBytesMax = 4 * 1024 * 1024;

const time = gauge('node_time_seconds', "The host's clock, in Unix time.");
const bootTime = gauge('node_boot_time_seconds', 'When the system was booted, in Unix time.');
const uname = gauge('node_uname_info', 'What uname says about the system.');

/** Network counters and mounts of process 1 are the host's; those of this process are its own name space's. */
const networkPaths = ['1/net/dev', 'net/dev'];
const mountPaths = ['1/mounts', 'mounts'];

/** Never rejects. */
export async function readHost({ procPath, filesystems, nowMs }: HostPlaces): Promise<HostReading> {
  const skipped: string[] = [];
  const read = async (...names: string[]): Promise<string> => {
    let reason = '';
    for (const name of names) {
      try {
        return await readText(join(procPath, name));
      } catch (error) {
        reason = `${join(procPath, name)}: ${errorMessage(error)}`;
      }
    }
    skipped.push(reason);
    return '';
  };
  const samples = [
    ...parseCpuStat(await read('stat')),
    ...parseMemoryInfo(await read('meminfo')),
    ...parseLoadAverage(await read('loadavg')),
    ...parseDiskStats(await read('diskstats')),
    ...parseNetworkDevices(await read(...networkPaths)),
    ...(await readUname(read)),
    { metric: time, labels: {}, value: nowMs / 1000 },
  ];
  const isBootKnown = samples.some(({ metric }) => metric.name === bootTime.name);
  if (!isBootKnown) samples.push(...bootTimeOf(await read('uptime'), nowMs));
  const mounts: readonly Mount[] = parseMountTable(await read(...mountPaths));
  samples.push(...(await filesystems.read(mounts)));
  return { samples, skipped };
}

async function readUname(read: (name: string) => Promise<string>): Promise<HostSample[]> {
  const fact = async (name: string): Promise<string> => (await read(`sys/kernel/${name}`)).trim();
  const labels = {
    sysname: await fact('ostype'),
    release: await fact('osrelease'),
    version: await fact('version'),
    nodename: await fact('hostname'),
    domainname: await fact('domainname'),
    machine: machine(),
  };
  return labels.sysname === '' ? [] : [{ metric: uname, labels, value: 1 }];
}

function bootTimeOf(uptimeText: string, nowMs: number): HostSample[] {
  const seconds = fieldNumber(splitFields(uptimeText)[0]);
  return Number.isNaN(seconds)
    ? []
    : [{ metric: bootTime, labels: {}, value: Math.round(nowMs / 1000 - seconds) }];
}

/** Files below /proc have no size before they are read. */
async function readText(path: string): Promise<string> {
  await using file = await open(path);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of file.createReadStream({
    autoClose: false,
    end: fileBytesMax,
  }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
  }
  if (length > fileBytesMax) throw new Error(`larger than ${fileBytesMax} bytes`);
  return Buffer.concat(chunks).toString('utf8');
}
