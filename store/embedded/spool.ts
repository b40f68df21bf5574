/**
 * The files through which Native blocks reach the embedded engine: its raw insert would execute what follows a
 * blank line of the payload as SQL, so bytes only enter by file(). Files are overwritten in place, on tmpfs where
 * there is room.
 *
 *   /dev/shm/sonde-spool-<pid namespace>-<pid>-<number>/slot-0.native
 */
import { constants } from 'node:fs';
import {
  access,
  type FileHandle,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readlink,
  rm,
  statfs,
} from 'node:fs/promises';
import { join } from 'node:path';

const sharedMemory = '/dev/shm';
const prefix = 'sonde-spool';

/** Ours are up to 250 k rows; more would sit in memory twice. Ingest must cut blocks below this. */
export const blockBytesMax = 256 * 1024 * 1024;

/** Linux takes 1,024 pieces at a time (IOV_MAX). */
const partsPerWriteMax = 1024;

/** One file. `write` replaces its content and returns its path; the caller must be its only user. */
export class SpoolSlot {
  readonly path: string;
  readonly #file: FileHandle;
  #byteCount = 0;

  constructor(path: string, file: FileHandle) {
    this.path = path;
    this.#file = file;
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    const byteCount = parts.reduce((total, part) => total + part.length, 0);
    // Before the first byte: a write that fails half-way (a full disk) may leave no more than what comes next removes.
    this.#byteCount = Math.max(this.#byteCount, byteCount);
    let rest = parts.filter((part) => part.length > 0);
    let written = 0;
    while (rest.length > 0) {
      const { bytesWritten } = await this.#file.writev(rest.slice(0, partsPerWriteMax), written);
      written += bytesWritten;
      rest = withoutFirst(rest, bytesWritten);
    }
    if (this.#byteCount > byteCount) await this.#file.truncate(byteCount);
    this.#byteCount = byteCount;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

export class Spool {
  readonly directory: string;
  readonly #slots: SpoolSlot[] = [];
  readonly #free: SpoolSlot[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  /**
   * Makes a directory of our own in `parent`, or in shared memory where `slotCount` of the largest blocks fit, or
   * else in `dataPath`/spool. Removes what dead processes left there.
   */
  static async open(dataPath: string, slotCount: number, parent?: string): Promise<Spool> {
    const home = parent ?? ((await hasRoom(slotCount)) ? sharedMemory : join(dataPath, 'spool'));
    await mkdir(home, { recursive: true, mode: 0o700 });
    const namespace = await pidNamespace();
    await removeStale(home, namespace);
    return new Spool(await mkdtemp(join(home, `${prefix}-${namespace}-${process.pid}-`)));
  }

  /** Returns a slot that nobody else writes until release(). The insert pool bounds how many there are. */
  async acquire(): Promise<SpoolSlot> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const path = join(this.directory, `slot-${this.#slots.length}-${crypto.randomUUID()}.native`);
    const slot = new SpoolSlot(path, await open(path, 'wx+', 0o600));
    this.#slots.push(slot);
    return slot;
  }

  release(slot: SpoolSlot): void {
    this.#free.push(slot);
  }

  async close(): Promise<void> {
    for (const slot of this.#slots.splice(0)) await slot.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** What is left of `parts` once their first `byteCount` bytes are written. */
function withoutFirst(parts: readonly Uint8Array[], byteCount: number): Uint8Array[] {
  let first = 0;
  while (first < parts.length && byteCount >= parts[first].length) byteCount -= parts[first++].length;
  const rest = parts.slice(first);
  if (byteCount > 0) rest[0] = rest[0].subarray(byteCount);
  return rest;
}

async function hasRoom(slotCount: number): Promise<boolean> {
  try {
    await access(sharedMemory, constants.W_OK);
    const { bavail, bsize } = await statfs(sharedMemory);
    return bavail * bsize >= slotCount * blockBytesMax;
  } catch {
    // No shared memory here (another system, a locked-down container): the data directory does.
    return false;
  }
}

/** Process ids mean something within their namespace only: containers may share /dev/shm. */
async function pidNamespace(): Promise<string> {
  try {
    return (await readlink('/proc/self/ns/pid')).replace(/\D/g, '');
  } catch {
    return '0';
  }
}

async function removeStale(home: string, namespace: string): Promise<void> {
  const name = new RegExp(`^${prefix}-${namespace}-(\\d+)-`);
  for (const entry of await readdir(home)) {
    const match = name.exec(entry);
    if (match === null || isAlive(Number(match[1]))) continue;
    await rm(join(home, entry), { recursive: true, force: true }).catch((error: unknown) => {
      // Another user's: it is theirs to remove.
      if (!['EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
