/**
 * Keeps the checkpoint on disk. A reader finds the old one or the new one, whole, whatever happens in between: it is
 * written beside, synced, renamed, and the directory is synced.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type Checkpoint, parseCheckpoint } from './checkpoint.ts';

/**
 * Returns the checkpoint at `path`, or undefined where there is none yet (its directory is made then). Throws
 * ConfigError where it cannot be read: starting without it would ship every line again.
 */
export function loadCheckpoint(path: string): Checkpoint | undefined {
  let text: string;
  try {
    mkdirSync(dirname(path), { recursive: true });
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const advice = 'let the agent read and write this path, or set another state path';
    throw new ConfigError(`cannot read the checkpoint ${path}: ${errorMessage(error)}; ${advice}`, {
      cause: error,
    });
  }
  try {
    return parseCheckpoint(text);
  } catch (error) {
    const advice =
      'restore it from a copy, or move it away to read all files again (stored lines are then repeated)';
    throw new ConfigError(`the checkpoint ${path} is broken: ${errorMessage(error)}; ${advice}`, {
      cause: error,
    });
  }
}

export class CheckpointFile {
  readonly #path: string;
  readonly #render: () => string;
  #running: Promise<void> = Promise.resolve();
  #queued: Promise<void> | undefined;
  /** Saves that reached the disk. */
  saveCount = 0;

  /** `render` must return the state of that moment as text. */
  constructor(path: string, render: () => string) {
    this.#path = path;
    this.#render = render;
  }

  /**
   * Resolves when the state as of this call, or a later one, is durable. Calls that come while a write runs share the
   * next write. Rejects where the disk refuses.
   */
  save(): Promise<void> {
    this.#queued ??= this.#saveAfter(this.#running);
    return this.#queued;
  }

  async #saveAfter(running: Promise<void>): Promise<void> {
    // A failed write was reported to those who asked for it.
    await running.catch(() => undefined);
    this.#queued = undefined;
    this.#running = this.#write(this.#render());
    await this.#running;
    this.saveCount++;
  }

  async #write(text: string): Promise<void> {
    const temporary = `${this.#path}.tmp`;
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, this.#path);
    const directory = await open(dirname(this.#path), 'r');
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}
