/**
 * Reads the small files of /proc and /sys: a path comes in, its text comes out, and what may not be read is remembered.
 *
 *   files.proc('stat')                            ->  "cpu  1 2 3 ...", or an error that names the path
 *   files.attribute('/sys/class/net/eth0/mtu')    ->  "1500", or undefined where there is none
 *
 * Files of the kernel's memory are read synchronously, through one buffer: a read takes some microseconds, and a trip
 * through libuv's pool ten times as much. What may ask a device (sensors) must be read with slowAttribute().
 */
import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage } from '#model/errors.ts';
import { BoundedCalls } from './bounded-calls.ts';

/** Of one file: the largest, /proc/net/udp or the interrupts of many processors, have a tenth of it. */
const fileBytesMax = 4 * 1024 * 1024;
/** Paths of one reading that are named as unreadable. */
const skippedMax = 64;
/** Sensors have so long, each and together. */
const slowTimeoutMs = 1_000;
const slowBudgetMs = 3_000;

export interface HostPaths {
  /** Where the host's /proc, /sys and / are seen. */
  readonly procPath: string;
  readonly sysPath: string;
  readonly rootPath: string;
}

export class HostFiles {
  readonly paths: HostPaths;
  readonly #skipped = new Map<string, string>();
  readonly #slow = new BoundedCalls(slowTimeoutMs, slowBudgetMs);
  readonly #shared = new Map<string, string>();
  #buffer = Buffer.allocUnsafe(64 * 1024);

  constructor(paths: HostPaths) {
    this.paths = paths;
  }

  /** Returns the first of the files below /proc that can be read. Throws where none can, and notes the last as skipped. */
  proc(...names: string[]): string {
    let failure: unknown;
    for (const name of names) {
      try {
        return this.#read(join(this.paths.procPath, name));
      } catch (error) {
        failure = error;
      }
    }
    this.#skip(join(this.paths.procPath, names.at(-1)!), failure);
    throw failure;
  }

  /** Like proc(), for a file that several collectors need: read once a reading. */
  sharedProc(name: string): string {
    const known = this.#shared.get(name);
    if (known !== undefined) return known;
    const text = this.proc(name);
    this.#shared.set(name, text);
    return text;
  }

  /** Like proc(), for what a kernel may lack: undefined where there is none. */
  procIfAny(...names: string[]): string | undefined {
    for (const name of names) {
      const text = this.text(join(this.paths.procPath, name));
      if (text !== undefined) return text;
    }
    return undefined;
  }

  /** Returns the file's text; undefined where it is absent or has nothing to say. A forbidden one is noted as skipped. */
  text(path: string): string | undefined {
    try {
      return this.#read(path);
    } catch (error) {
      this.noteForbidden(path, error);
      return undefined;
    }
  }

  /** Returns the text without blanks at its ends. */
  attribute(path: string): string | undefined {
    return this.text(path)?.trim();
  }

  /** Like attribute(), for what may well be forbidden: without it nothing is missing. */
  allowedAttribute(path: string): string | undefined {
    try {
      return this.#read(path).trim();
    } catch {
      return undefined;
    }
  }

  /** Reads an attribute that a device answers: given up after a second, and not asked again before that call came back. */
  async slowAttribute(path: string): Promise<string | undefined> {
    try {
      const text = await this.#slow.run(path, () => readFile(path, 'utf8'));
      return text?.slice(0, fileBytesMax).trim();
    } catch (error) {
      this.noteForbidden(path, error);
      return undefined;
    }
  }

  /** Returns the names in a directory, sorted; none where there is no directory. */
  list(path: string, pattern = /^/): string[] {
    try {
      return readdirSync(path)
        .filter((name) => pattern.test(name))
        .sort();
    } catch (error) {
      this.noteForbidden(path, error);
      return [];
    }
  }

  /** For what is read elsewhere: notes the path where the error says that it is forbidden. */
  noteForbidden(path: string, error: unknown): void {
    if (isForbidden(error)) this.#skip(path, error);
  }

  sys(...names: string[]): string {
    return join(this.paths.sysPath, ...names);
  }

  /** Ends a reading: returns `path: reason` of what it could not read. */
  endReading(): string[] {
    this.#shared.clear();
    this.#slow.beginRound();
    const skipped = [...this.#skipped].map(([path, reason]) => `${path}: ${reason}`);
    this.#skipped.clear();
    return skipped;
  }

  /** Notes what is left out for another reason; which must be the same from reading to reading, or it is logged anew. */
  noteLeftOut(path: string, reason: string): void {
    if (this.#skipped.size < skippedMax) this.#skipped.set(path, reason);
  }

  #skip(path: string, error: unknown): void {
    this.noteLeftOut(path, errorMessage(error));
  }

  /** Files of the kernel have no size before they are read. */
  #read(path: string): string {
    const file = openSync(path, 'r');
    try {
      let length = 0;
      for (;;) {
        const count = readSync(file, this.#buffer, length, this.#buffer.length - length, null);
        if (count === 0) return this.#buffer.toString('utf8', 0, length);
        length += count;
        if (length === this.#buffer.length) this.#grow(path);
      }
    } finally {
      closeSync(file);
    }
  }

  #grow(path: string): void {
    const size = this.#buffer.length * 2;
    if (size > fileBytesMax) throw new Error(`larger than ${fileBytesMax} bytes: ${path}`);
    const larger = Buffer.allocUnsafe(size);
    this.#buffer.copy(larger);
    this.#buffer = larger;
  }
}

function isForbidden(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'EACCES' || code === 'EPERM';
}
