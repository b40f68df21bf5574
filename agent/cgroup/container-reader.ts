/**
 * Reads the cgroups of all containers, pods and their parents once: the cgroup file system comes in, samples come out.
 *
 * A cgroup that vanishes while it is read gives no samples at all, so that its series end together. What is remembered
 * from reading to reading goes by the container's id: one that starts again has another, and series of its own.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { HostFiles } from '../host/host-files.ts';
import { fieldNumber, gauge, type HostSample, sampleOf } from '../host/host-sample.ts';
import type { Reading } from '../host/reading-loop.ts';
import * as metrics from './cadvisor-metrics.ts';
import { type CgroupLayout, detectLayout, parseDeviceNames } from './cgroup-layout.ts';
import { type FoundCgroup, findCgroups } from './cgroup-tree.ts';
import { CgroupV1 } from './cgroup-v1.ts';
import { CgroupV2 } from './cgroup-v2.ts';
import { type FindContainer, type LabelledCgroup, labelCgroups } from './container-labels.ts';
import { networkNamespace, networkSamples, readProcess, usesHostNetwork } from './container-process.ts';

export interface ContainerReaderOptions {
  readonly files: HostFiles;
  readonly find: FindContainer;
  readonly cgroupsMax: number;
}

/** Cgroups that are read before others have their turn: each takes some tenths of a millisecond. */
const cgroupsPerTurn = 8;
const glancesPerTurn = 50;
const invisibleProcesses =
  "processes of containers are in another PID name space: without the host's, there are no networks and start times";
const up = gauge('up', 'Whether the cgroups were read.');

/** What is told of a cgroup beside its files of numbers. */
interface Glance {
  /** Of a container; 0 of others. */
  readonly processCount: number;
  /** The first process that can be seen. */
  readonly pid: number | undefined;
  /** The first process' name; '' where it cannot be seen. */
  readonly command: string;
  /** Unix time; NaN where it is not known. */
  readonly startSeconds: number;
}

interface Surroundings {
  readonly layout: CgroupLayout;
  readonly glances: ReadonlyMap<string, Glance>;
  readonly devices: ReadonlyMap<string, string>;
  /** Who has a network, and the process that is asked for it: see networkOwners(). */
  readonly networks: ReadonlyMap<string, number>;
  /** Name spaces that a container of this reading has reported: of two that share one, the first does. */
  readonly seenNetworks: Set<string>;
  readonly nowMs: number;
}

export class ContainerReader {
  readonly #options: ContainerReaderOptions;
  #layout: CgroupLayout | undefined;
  /** Start of pods and slices by path and inode; what the last reading did not find is forgotten. */
  #starts = new Map<string, number>();

  constructor(options: ContainerReaderOptions) {
    this.#options = options;
  }

  /** Never rejects. */
  async read(nowMs: number): Promise<Reading> {
    const { files, find, cgroupsMax } = this.#options;
    const root = files.sys('fs/cgroup');
    this.#layout ??= openLayout(files, root);
    if (this.#layout === undefined) {
      const fact = `${root}: no cgroups of version 1 or 2 are mounted here`;
      return { samples: [], skipped: [...files.endReading(), fact] };
    }
    const layout = this.#layout;
    const { cgroups, leftOut } = await findCgroups(files, layout.base, cgroupsMax);
    if (!layout.isHosts && !cgroups.some(({ identity }) => identity.kind === 'container')) {
      const fact = `${layout.base}: this is the agent's own cgroup, with no containers in it, and not the host's`;
      return { samples: [], skipped: [...files.endReading(), fact] };
    }
    const glances = await this.#lookAt(layout, cgroups);
    const labelled = labelCgroups(cgroups, {
      find,
      isPause: ({ path }) => glances.get(path)?.command === 'pause',
    });
    const around: Surroundings = {
      layout,
      glances,
      devices: parseDeviceNames(files.procIfAny('diskstats') ?? ''),
      networks: networkOwners(labelled, glances),
      seenNetworks: new Set(),
      nowMs,
    };
    const samples: HostSample[] = [...sampleOf(up, 1), ...machineSamples(files)];
    for (const [i, cgroup] of labelled.entries()) {
      samples.push(...this.#readCgroup(cgroup, around));
      if (i % cgroupsPerTurn === cgroupsPerTurn - 1) await setImmediate();
    }
    const skipped = files.endReading();
    if (leftOut > 0)
      skipped.push(
        `${layout.base}: more than ${cgroupsMax} cgroups (containers.cgroups_max), the others are left out`,
      );
    return { samples, skipped, leftOut };
  }

  #readCgroup({ path, identity, labels }: LabelledCgroup, around: Surroundings): HostSample[] {
    const { files } = this.#options;
    const { layout, glances, devices, networks, nowMs } = around;
    const samples = layout.read(path, labels, devices);
    const glance = glances.get(path);
    if (identity.kind === 'container')
      samples.push(...sampleOf(metrics.processes, glance?.processCount ?? 0, labels));
    const pid = networks.get(path);
    if (path === '/') samples.push(...networkSamples(files, 1, labels));
    else if (pid !== undefined && this.#hasOwnNetwork(pid, around))
      samples.push(...networkSamples(files, pid, labels));
    samples.push(
      ...sampleOf(metrics.lastSeen, Math.floor(nowMs / 1000), labels),
      ...sampleOf(metrics.startTime, glance?.startSeconds ?? Number.NaN, labels),
    );
    return existsSync(join(layout.base, path)) ? samples : [];
  }

  #hasOwnNetwork(pid: number, { seenNetworks }: Surroundings): boolean {
    const { files } = this.#options;
    if (usesHostNetwork(files, pid)) return false;
    const name = networkNamespace(files, pid);
    if (name === undefined) return true;
    const isNew = !seenNetworks.has(name);
    seenNetworks.add(name);
    return isNew;
  }

  /** A container is as old as its first process: a restart under the same id shows. */
  async #lookAt(layout: CgroupLayout, cgroups: readonly FoundCgroup[]): Promise<Map<string, Glance>> {
    const { files } = this.#options;
    const bootSeconds = bootTime(files.procIfAny('stat') ?? '');
    const starts = new Map<string, number>();
    const glances = new Map<string, Glance>();
    for (const [i, { path, identity }] of cgroups.entries()) {
      const processIds = identity.kind === 'container' ? layout.processIds(path) : [];
      const pid = processIds.find((id) => id > 0);
      if (pid === undefined && processIds.length > 0) files.noteLeftOut(layout.base, invisibleProcesses);
      const first = pid === undefined ? undefined : readProcess(files, pid, bootSeconds);
      const startSeconds =
        identity.kind === 'root'
          ? bootSeconds
          : (first?.startSeconds ?? this.#directoryStart(layout, path, starts));
      const command = first?.command ?? '';
      glances.set(path, { processCount: processIds.length, pid, command, startSeconds });
      if (i % glancesPerTurn === glancesPerTurn - 1) await setImmediate();
    }
    this.#starts = starts;
    return glances;
  }

  /** As old as the directory is when it is first seen: its time moves when something is made below it. */
  #directoryStart(layout: CgroupLayout, path: string, starts: Map<string, number>): number {
    const stats = statSync(join(layout.base, path), { throwIfNoEntry: false });
    if (stats === undefined) return Number.NaN;
    const key = `${stats.ino} ${path}`;
    const start = this.#starts.get(key) ?? Math.floor(stats.mtimeMs / 1000);
    starts.set(key, start);
    return start;
  }
}

function openLayout(files: HostFiles, root: string): CgroupLayout | undefined {
  const found = detectLayout(root);
  if (found === undefined) return undefined;
  return found.version === 2 ? new CgroupV2(files, found) : new CgroupV1(files, root, found);
}

/**
 * Who has a network of its own, and the process that is asked for it: a pod has one, which its pause container reports, or
 * the pod's own cgroup where the runtime has none (CRI-O); any other container has its own.
 */
function networkOwners(
  cgroups: readonly LabelledCgroup[],
  glances: ReadonlyMap<string, Glance>,
): Map<string, number> {
  const owners = new Map<string, number>();
  const pauses = new Map<string, LabelledCgroup>();
  for (const cgroup of cgroups)
    if (cgroup.isPause && cgroup.identity.kind === 'container') pauses.set(cgroup.identity.podPath, cgroup);
  for (const { path, identity } of cgroups) {
    const pid = glances.get(path)?.pid;
    if (identity.kind !== 'container' || pid === undefined) continue;
    if (identity.podPath === '') owners.set(path, pid);
    else if (!pauses.has(identity.podPath)) owners.set(identity.podPath, pid);
    else if (pauses.get(identity.podPath)!.path === path) owners.set(path, pid);
  }
  return owners;
}

function machineSamples(files: HostFiles): HostSample[] {
  const cores = (files.procIfAny('stat') ?? '').match(/^cpu\d+ /gm)?.length ?? Number.NaN;
  const kilobytes = fieldNumber(/^MemTotal:\s+(\d+)/m.exec(files.procIfAny('meminfo') ?? '')?.[1]);
  return [...sampleOf(metrics.machineCores, cores), ...sampleOf(metrics.machineMemory, kilobytes * 1024)];
}

function bootTime(stat: string): number {
  return fieldNumber(/^btime (\d+)$/m.exec(stat)?.[1]);
}
