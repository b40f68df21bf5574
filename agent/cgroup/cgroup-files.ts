/**
 * The formats of a cgroup's files.
 *
 *   cpu.stat     "usage_usec 12\nuser_usec 8"                          ->  { usage_usec: 12, user_usec: 8 }
 *   memory.max   "max", "1073741824"                                   ->  0, 1073741824
 *   io.stat      "254:0 rbytes=4096 wbytes=0 rios=1 wios=0 ..."        ->  254:0, 4096 bytes in 1 read, ...
 *   blkio.throttle.io_serviced  "254:0 Read 1\n254:0 Write 0\n..."     ->  254:0, 1 read, ...
 *
 * See the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. Lines of other shapes are left out.
 */
import { fieldNumber } from '../host/host-sample.ts';

/** Values of a flat keyed file; asking for a key that is not there gives NaN. */
export class KeyedNumbers {
  readonly #values = new Map<string, number>();

  constructor(text: string) {
    for (const line of text.split('\n')) {
      const blank = line.indexOf(' ');
      if (blank > 0) this.#values.set(line.slice(0, blank), fieldNumber(line.slice(blank + 1)));
    }
  }

  get(key: string): number {
    return this.#values.get(key) ?? Number.NaN;
  }
}

/** Version 1 says "no limit" with the largest number of pages; cAdvisor takes from here on as none. */
const noLimitBytes = 2 ** 62;

/** Returns the limit of a file; 0 for none, NaN where there is no file. */
export function limitOf(text: string | undefined): number {
  const trimmed = text?.trim();
  if (trimmed === 'max') return 0;
  const value = fieldNumber(trimmed);
  return value >= noLimitBytes ? 0 : value;
}

export interface DeviceIo {
  /** `major:minor` */
  readonly device: string;
  readonly reads: number;
  readonly writes: number;
  readonly readBytes: number;
  readonly writeBytes: number;
}

/** A device that was never used may stand without numbers: it is left out. */
export function parseIoStat(text: string): DeviceIo[] {
  return text.split('\n').flatMap((line) => {
    const [device, ...pairs] = line.split(' ');
    const values = new Map(pairs.map((pair) => pair.split('=', 2) as [string, string]));
    const value = (key: string): number => fieldNumber(values.get(key));
    const io = {
      device: device!,
      reads: value('rios'),
      writes: value('wios'),
      readBytes: value('rbytes'),
      writeBytes: value('wbytes'),
    };
    return Number.isNaN(io.readBytes) ? [] : [io];
  });
}

/** `operations` and `bytes` are the texts of blkio.throttle.io_serviced and io_service_bytes. */
export function parseBlkio(operations: string, bytes: string): DeviceIo[] {
  const counts = parseBlkioFile(operations);
  return [...parseBlkioFile(bytes)].map(([device, { read, write }]) => ({
    device,
    readBytes: read,
    writeBytes: write,
    reads: counts.get(device)?.read ?? Number.NaN,
    writes: counts.get(device)?.write ?? Number.NaN,
  }));
}

function parseBlkioFile(text: string): Map<string, { read: number; write: number }> {
  const devices = new Map<string, { read: number; write: number }>();
  for (const line of text.split('\n')) {
    const match = /^(\d+:\d+) (Read|Write) (\d+)$/.exec(line);
    if (!match) continue;
    const device = devices.get(match[1]!) ?? { read: Number.NaN, write: Number.NaN };
    device[match[2] === 'Read' ? 'read' : 'write'] = Number(match[3]);
    devices.set(match[1]!, device);
  }
  return devices;
}
