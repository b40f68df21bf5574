/** Runs one collector over files that stand for /proc, /sys and / of a host, and renders its samples as text. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { hostCollectors } from '#agent/host/collector-table.ts';
import { HostFiles } from '#agent/host/host-files.ts';
import type { HostSample } from '#agent/host/host-sample.ts';

export function renderSamples(samples: readonly HostSample[]): string[] {
  return samples.map(({ metric, labels, value }) => {
    const pairs = Object.entries(labels).flatMap(([name, text]) => (text === '' ? [] : `${name}="${text}"`));
    return `${metric.name}{${pairs}} ${value}`;
  });
}

/** The keys of `files` are paths such as `proc/arp`, `sys/class/nvme/nvme0/model` and `etc/os-release`. */
export async function collected(name: string, files: Readonly<Record<string, string>>): Promise<string[]> {
  const path = mkdtempSync(join(tmpdir(), 'sonde-collect-'));
  try {
    for (const [file, text] of Object.entries(files)) {
      mkdirSync(dirname(join(path, file)), { recursive: true });
      writeFileSync(join(path, file), text);
    }
    const places = { procPath: join(path, 'proc'), sysPath: join(path, 'sys'), rootPath: path };
    const collector = hostCollectors.find((candidate) => candidate.name === name)!;
    return renderSamples(await collector.create(new HostFiles(places))(1_700_000_000_500));
  } finally {
    rmSync(path, { recursive: true });
  }
}
