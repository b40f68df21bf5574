/**
 * Lists directories again and again at the price of a stat: a directory's own time changes when a name in it comes, goes
 * or is renamed, so that one with its old time needs no reading. Ten thousand containers have as many directories.
 *
 * No notification is waited for: overlayfs and network file systems send none, and kernels limit how many one may ask for.
 */
import { statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileKey, statIdentity } from './opened-file.ts';

export interface ListedEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  /** A symbolic link: what it leads to can change without a change of the directory. */
  readonly isLink: boolean;
}

/**
 * File times are as coarse as a kernel's tick, or a second or two: a name may come after the listing, and leave the time as
 * it was. A directory that changed so shortly before it was listed is listed again.
 */
const settledMs = 2500;

/** What no time tells (a server's clock that jumps) is found this late. */
const relistMs = 60_000;

interface Listing {
  readonly identity: string;
  readonly mtimeNs: bigint;
  /** Changes too where somebody sets mtimeNs back, as rsync and tar do. */
  readonly ctimeNs: bigint;
  readonly isSettled: boolean;
  readonly listedAtMs: number;
  readonly entries: readonly ListedEntry[];
  /** Of regular files by name, as asked for: undefined is anything else. */
  readonly keys: Map<string, string | undefined>;
  look: number;
}

export class DirectoryListings {
  readonly #listings = new Map<string, Listing>();
  readonly #now: () => number;
  #look = 0;

  /** `now`: Unix milliseconds. */
  constructor(now = Date.now) {
    this.#now = now;
  }

  /** Starts a look: what it does not ask for is forgotten when the next one starts. */
  begin(): void {
    for (const [directory, { look }] of this.#listings) {
      if (look < this.#look) this.#listings.delete(directory);
    }
    this.#look++;
  }

  /** The names in the directory. Rejects as readdir does. */
  async list(directory: string): Promise<readonly ListedEntry[]> {
    const nowMs = this.#now();
    const stats = statSync(directory, { bigint: true });
    const identity = fileKey(statIdentity(stats));
    const known = this.#listings.get(directory);
    const isSame =
      known?.isSettled === true &&
      known.identity === identity &&
      known.mtimeNs === stats.mtimeNs &&
      known.ctimeNs === stats.ctimeNs &&
      nowMs - known.listedAtMs < relistMs;
    if (isSame) {
      known.look = this.#look;
      return known.entries;
    }
    const entries = (await readdir(directory, { withFileTypes: true })).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
      isLink: entry.isSymbolicLink(),
    }));
    this.#listings.set(directory, {
      identity,
      mtimeNs: stats.mtimeNs,
      ctimeNs: stats.ctimeNs,
      isSettled: nowMs - Number(stats.ctimeMs) > settledMs,
      listedAtMs: nowMs,
      entries,
      keys: new Map(),
      look: this.#look,
    });
    return entries;
  }

  /**
   * The identity of the regular file that a listed name stands for; undefined for anything else, and where it is gone. Links
   * are followed. Throws as stat does.
   */
  identify(directory: string, { name, isLink }: ListedEntry): string | undefined {
    const keys = this.#listings.get(directory)?.keys;
    if (!isLink && keys?.has(name)) return keys.get(name);
    const stats = statSync(join(directory, name), { bigint: true, throwIfNoEntry: false });
    const key = stats?.isFile() ? fileKey(statIdentity(stats)) : undefined;
    keys?.set(name, key);
    return key;
  }
}
