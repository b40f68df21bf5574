/**
 * Follows files of Prometheus's file_sd form (JSON and YAML) as they change.
 *
 *   files: ['/etc/targets/*.json']  ->  a group for each of a file's groups, with __meta_filepath
 *
 * A file that cannot be read as such keeps the targets it had, and its fault is told. A file that is gone has none.
 */
import { glob, open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '#model/errors.ts';
import type { Discovery, StartDiscovery, TargetGroup } from './target-group.ts';
import { parseTargetGroups } from './target-groups-text.ts';

/** Of one file: some ten thousand targets. */
const fileBytesMax = 4 * 1024 * 1024;
/** Of all globs together: more is a mistake in a glob. */
const filesMax = 1_000;
const pollMsDefault = 3_000;

interface KnownFile {
  readonly groups: readonly TargetGroup[];
  /** Time, size and inode: what changes with the content. */
  readonly version: string;
  readonly fault: string;
}

/** Looks at once, then every pollMs. */
export function fileDiscovery(globs: readonly string[], pollMs = pollMsDefault): StartDiscovery {
  return (onGroups) => new FileWatch(globs, pollMs, onGroups);
}

class FileWatch implements Discovery {
  readonly #globs: readonly string[];
  readonly #pollMs: number;
  readonly #onGroups: (groups: readonly TargetGroup[]) => void;
  readonly #abort = new AbortController();
  readonly #running: Promise<void>;
  #files = new Map<string, KnownFile>();
  #fault = '';
  #isFirst = true;

  constructor(globs: readonly string[], pollMs: number, onGroups: (groups: readonly TargetGroup[]) => void) {
    this.#globs = globs;
    this.#pollMs = pollMs;
    this.#onGroups = onGroups;
    this.#running = this.#run();
  }

  problem(): string {
    const faults = [...this.#files].filter(([, { fault }]) => fault !== '');
    return [this.#fault, ...faults.map(([path, { fault }]) => `${path}: ${fault}`)]
      .filter((text) => text !== '')
      .join('; ');
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      try {
        await this.#look();
      } catch (error) {
        this.#fault = errorMessage(error);
      }
      await delay(this.#pollMs, undefined, { signal, ref: false }).catch(() => undefined); // Stopped.
    }
  }

  async #look(): Promise<void> {
    const paths = new Set<string>();
    let isCut = false;
    for (const pattern of this.#globs) {
      for await (const path of glob(pattern)) {
        if (paths.size < filesMax) paths.add(path);
        else isCut = true;
      }
    }
    this.#fault = isCut ? `more than ${filesMax} files: the rest is not read` : '';
    const before = this.#files;
    const files = new Map<string, KnownFile>();
    for (const path of [...paths].sort()) {
      const file = await readTargetFile(path, before.get(path));
      if (file !== undefined) files.set(path, file);
    }
    this.#files = files;
    const isSame =
      !this.#isFirst &&
      before.size === files.size &&
      [...files].every(([path, { groups }]) => before.get(path)?.groups === groups);
    if (isSame || this.#abort.signal.aborted) return;
    this.#isFirst = false;
    this.#onGroups([...files.values()].flatMap(({ groups }) => groups));
  }
}

/** Returns undefined where the file went away meanwhile. */
async function readTargetFile(path: string, before: KnownFile | undefined): Promise<KnownFile | undefined> {
  let version = '';
  try {
    await using file = await open(path);
    const { size, mtimeMs, ino } = await file.stat();
    version = `${mtimeMs} ${size} ${ino}`;
    if (version === before?.version) return before;
    if (size > fileBytesMax) throw new Error(`the file is larger than ${fileBytesMax} bytes`);
    const text = await file.readFile('utf8');
    const format = path.toLowerCase().endsWith('.json') ? 'json' : 'yaml';
    const groups = parseTargetGroups(text, format, path, { __meta_filepath: path });
    return { groups, version, fault: '' };
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    return { groups: before?.groups ?? [], version, fault: errorMessage(error) };
  }
}
