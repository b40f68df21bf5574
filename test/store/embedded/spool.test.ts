/**
 * Goal: what a failed write leaves in a spool's file never reaches the engine with the next block.
 * Method: a real file, behind a handle whose writes fail after some bytes as those to a full disk do.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SpoolSlot } from '#store/embedded/spool.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-spool-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Takes `room` bytes, and then none. */
class FullFile {
  room = Number.POSITIVE_INFINITY;
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  async writev(parts: readonly Uint8Array[], position: number): Promise<{ bytesWritten: number }> {
    const bytes = Buffer.concat(parts);
    if (this.room === 0)
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    const length = Math.min(this.room, bytes.length);
    this.room -= length;
    return this.#file.write(bytes, 0, length, position);
  }

  truncate(length: number): Promise<void> {
    return this.#file.truncate(length);
  }
}

test('a block that follows a failed write is alone in the file', async () => {
  const path = join(directory, 'slot');
  const file = await open(path, 'w+');
  const full = new FullFile(file);
  const slot = new SpoolSlot(path, full as unknown as FileHandle);
  const block = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
  await slot.write([block(100, 1)]);
  full.room = 500;
  await expect(slot.write([block(400, 2), block(400, 2)])).rejects.toThrow('ENOSPC');
  full.room = Number.POSITIVE_INFINITY;
  await slot.write([block(150, 3), block(50, 4)]);
  expect(readFileSync(path)).toEqual(Buffer.concat([block(150, 3), block(50, 4)]));
  await file.close();
});
