/**
 * One segment file of a buffer: appended to until it is full, read from its beginning, deleted when all is sent.
 *
 * Beside `<number>-<created ms>.segment` lies `<number>.acks`: where the records lie that the next station has taken. It is
 * written late and never synced: what it lacks is sent again, under the same batch id.
 */
import { readFileSync, unlinkSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { isSegmentHeader, segmentHeader, segmentHeaderBytes, segmentSeed } from './segment-format.ts';

const namePattern = /^(\d{12})-(\d+)\.segment$/;
const ackBytes = 8;
/** An entry that is torn or zeroed must not look like one. */
const ackCheck = 0x5a5a5a5a;

export class Segment {
  readonly number: number;
  readonly createdMs: number;
  /** See segment-format.ts. */
  readonly seed: number;
  /** Fires when the segment is dropped: what is sent from it is given up. */
  readonly dropped = new AbortController();
  /** Bytes that may be read: they are as durable as the policy wants them. */
  size: number;
  /** The time of the newest record. */
  newestMs: number;
  /** Records that were found or appended, without those that were acknowledged before. */
  records = 0;
  acked = 0;
  isSealed: boolean;
  isRead = false;
  readonly #directory: string;
  readonly #acks = new Set<number>();
  #ackLines: number[] = [];
  #file: FileHandle | undefined;

  constructor(
    directory: string,
    number: number,
    createdMs: number,
    found?: { readonly size: number; readonly newestMs: number },
  ) {
    this.#directory = directory;
    this.number = number;
    this.createdMs = createdMs;
    this.seed = segmentSeed(number, createdMs);
    this.isSealed = found !== undefined;
    this.size = found?.size ?? 0;
    this.newestMs = found?.newestMs ?? createdMs;
    if (found !== undefined) this.#readAcks();
  }

  /** The number and creation time of a file's name; undefined for other files. */
  static parseName(name: string): { number: number; createdMs: number } | undefined {
    const match = namePattern.exec(name);
    return match === null ? undefined : { number: Number(match[1]), createdMs: Number(match[2]) };
  }

  get path(): string {
    return join(this.#directory, `${this.#stem}-${this.createdMs}.segment`);
  }

  /** Everything is sent, and nothing will follow. */
  get isDone(): boolean {
    return this.isSealed && this.isRead && this.acked === this.records;
  }

  /** Makes the file. Must be called once, before the first append. */
  async create(): Promise<void> {
    this.#file = await open(this.path, 'wx+', 0o600);
    await this.#file.write(segmentHeader, 0, segmentHeaderBytes, 0);
    this.size = segmentHeaderBytes;
  }

  /** Writes behind what is there; `size` is the caller's to move, when the bytes are as durable as it wants them. */
  async append(parts: readonly Uint8Array[]): Promise<number> {
    let position = this.size;
    const total = parts.reduce((bytes, { length }) => bytes + length, 0);
    // writev may write less than it was given, as a disk that becomes full does.
    const { bytesWritten } = await this.#file!.writev([...parts], position);
    position += bytesWritten;
    if (bytesWritten < total) {
      const rest = Buffer.concat(parts).subarray(bytesWritten);
      for (let done = 0; done < rest.length; ) {
        const step = await this.#file!.write(rest, done, rest.length - done, position + done);
        if (step.bytesWritten === 0) throw new Error(`${this.path}: nothing was written`);
        done += step.bytesWritten;
      }
    }
    return total;
  }

  async sync(): Promise<void> {
    await this.#file?.datasync();
  }

  /** Cuts off what was appended and did not become durable. */
  async cut(): Promise<void> {
    await this.#file?.truncate(this.size);
  }

  /** Reads up to `length` bytes at `position`; fewer at the end. */
  async read(position: number, length: number): Promise<Buffer> {
    this.#file ??= await open(this.path, 'r');
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(length, this.size - position)));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#file.read(bytes, done, bytes.length - done, position + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  /** Whether the file begins as this version writes it. */
  async hasHeader(): Promise<boolean> {
    return isSegmentHeader(await this.read(0, segmentHeaderBytes));
  }

  isAcked(offset: number): boolean {
    return this.#acks.has(offset);
  }

  ack(offset: number): void {
    this.acked++;
    this.#acks.add(offset);
    this.#ackLines.push(offset);
  }

  /** Writes the acknowledgements since the last time. */
  async writeAcks(): Promise<void> {
    const lines = this.#ackLines;
    if (lines.length === 0) return;
    this.#ackLines = [];
    const bytes = Buffer.alloc(lines.length * ackBytes);
    lines.forEach((offset, index) => {
      bytes.writeUInt32LE(offset, index * ackBytes);
      bytes.writeUInt32LE((offset ^ ackCheck) >>> 0, index * ackBytes + 4);
    });
    const file = await open(this.#ackPath, 'a', 0o600);
    try {
      await file.write(bytes);
    } finally {
      await file.close();
    }
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** Deletes the files. */
  async delete(): Promise<void> {
    this.#ackLines = [];
    await this.close();
    for (const path of [this.path, this.#ackPath]) {
      try {
        unlinkSync(path);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  get #stem(): string {
    return String(this.number).padStart(12, '0');
  }

  get #ackPath(): string {
    return join(this.#directory, `${this.#stem}.acks`);
  }

  #readAcks(): void {
    let bytes: Buffer;
    try {
      bytes = readFileSync(this.#ackPath);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    for (let at = 0; at + ackBytes <= bytes.length; at += ackBytes) {
      const offset = bytes.readUInt32LE(at);
      if (bytes.readUInt32LE(at + 4) === (offset ^ ackCheck) >>> 0) this.#acks.add(offset);
    }
  }
}
