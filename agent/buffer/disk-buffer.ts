/**
 * A bounded disk buffer around a transport: `send` resolves when the envelope is on disk, and the transport gets it from
 * there, in order for each key, under the batch id that it came with.
 *
 *   createDiskBuffer({ transport, path: '/var/lib/sonde/buffer', ... })  ->  a Transport
 *
 * After kill -9 everything that was answered is sent; what the next station had taken may be sent again, and its batch id
 * says so. Each signal has files of its own, so that one which is not taken does not hold up the others.
 */
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, errorMessage } from '#model/errors.ts';
import { type Delivery, type Envelope, type Signal, signals, type Transport } from '#wire/envelope.ts';
import { lockState } from '../logs/checkpoint/state-lock.ts';
import { BufferCounts } from './buffer-counts.ts';
import { Segment } from './segment.ts';
import { isEncodable } from './segment-format.ts';
import { SegmentSender } from './segment-sender.ts';
import { SegmentWriter, type SyncPolicy } from './segment-writer.ts';

export interface DiskBufferOptions {
  /** Closed together with the buffer. */
  readonly transport: Transport;
  /** A directory of this buffer alone. */
  readonly path: string;
  /** Of all files. Over it the oldest file is dropped. */
  readonly bytesMax: number;
  /** What waits longer is dropped. */
  readonly ageMsMax: number;
  readonly sync: SyncPolicy;
  readonly syncIntervalMs: number;
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void };
  /** How long `close` waits for the next station; what is left stays on disk. */
  readonly drainMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly ageCheckMs?: number;
}

export interface DiskBuffer extends Transport {
  readonly counts: BufferCounts;
  /** Bytes of all files. */
  bytes(): number;
  /** Why what is on disk waits: the state of the transport behind. */
  drainState(): string;
}

/** A file is at most this, so that a drop is no more than this. */
const segmentBytesMaxDefault = 16 * 1024 * 1024;
/** Files in a full buffer, at least: each signal has one that is written to. */
const segmentsMin = 8;
const ageCheckMsDefault = 10_000;
const drainMsDefault = 5000;
const taken: Delivery = { rejected: 0, reason: '' };

interface SignalFiles {
  readonly segments: Segment[];
  readonly writer: SegmentWriter;
  readonly sender: SegmentSender;
}

/** Opens what an earlier process has left, and starts to send it. Throws ConfigError where the directory cannot be used. */
export function createDiskBuffer(options: DiskBufferOptions): DiskBuffer {
  return new FileBuffer(options);
}

class FileBuffer implements DiskBuffer {
  readonly counts = new BufferCounts();
  readonly #options: DiskBufferOptions;
  readonly #files: ReadonlyMap<Signal, SignalFiles>;
  readonly #ageTimer: NodeJS.Timeout;
  readonly #unlock: () => void;
  #roomMaking = Promise.resolve();

  constructor(options: DiskBufferOptions) {
    this.#options = options;
    const { path, log } = options;
    try {
      for (const signal of signals) mkdirSync(join(path, signal), { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new ConfigError(`agent.buffer.path: cannot make ${path}: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    this.#unlock = lockState(join(path, 'buffer'), (message) => log.warn({ path }, message));
    this.#files = new Map(signals.map((signal) => [signal, this.#open(signal)]));
    this.#ageTimer = setInterval(() => void this.#dropOld(), options.ageCheckMs ?? ageCheckMsDefault).unref();
  }

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    abort?.throwIfAborted();
    // One that would push out all others goes past the buffer, as does what the files cannot hold.
    if (envelope.bytes.length > this.#options.bytesMax / 2 || !isEncodable(envelope)) {
      return this.#options.transport.send(envelope, abort);
    }
    await this.#files.get(envelope.signal)!.writer.write(envelope, abort);
    this.counts.addTaken(envelope.signal);
    return taken;
  }

  state(): string {
    for (const { writer } of this.#files.values()) {
      if (writer.trouble !== '') return `disk buffer in ${this.#options.path}: ${writer.trouble}`;
    }
    return 'ok';
  }

  drainState(): string {
    return this.#options.transport.state();
  }

  bytes(): number {
    let total = 0;
    for (const { segments } of this.#files.values()) for (const { size } of segments) total += size;
    return total;
  }

  async close(): Promise<void> {
    clearInterval(this.#ageTimer);
    const files = [...this.#files.values()];
    // Sealed, files can be deleted when they are through.
    for (const { writer } of files) await writer.close();
    const deadline = Date.now() + (this.#options.drainMs ?? drainMsDefault);
    // A station that takes nothing is not waited for: what is left is on disk.
    const isDraining = (): boolean =>
      this.drainState() === 'ok' && files.some(({ sender }) => !sender.isIdle);
    while (Date.now() < deadline && isDraining()) await delay(10);
    for (const { sender, segments } of files) {
      await sender.stop();
      for (const segment of segments) await segment.close();
    }
    this.#unlock();
    await this.#options.transport.close();
  }

  #open(signal: Signal): SignalFiles {
    const { path, bytesMax, ageMsMax, sync, syncIntervalMs, transport, log, now = Date.now } = this.#options;
    const directory = join(path, signal);
    const segments = findSegments(directory);
    const sender = new SegmentSender({
      signal,
      transport,
      segments,
      ageMsMax,
      now,
      counts: this.counts,
      log,
    });
    const writer = new SegmentWriter(
      {
        directory,
        segmentBytesMax: Math.min(segmentBytesMaxDefault, Math.floor(bytesMax / segmentsMin)),
        sync,
        syncIntervalMs,
        now,
        onSegment: (segment) => void segments.push(segment),
        onGrowth: () => sender.wake(),
        makeRoom: (bytes) => {
          // One after the other: what one is about to drop is still there for the next to see.
          const make = (): Promise<void> => this.#makeRoom(bytes);
          this.#roomMaking = this.#roomMaking.then(make, make);
          return this.#roomMaking;
        },
        log,
      },
      (segments.at(-1)?.number ?? 0) + 1,
    );
    return { segments, writer, sender };
  }

  async #makeRoom(bytes: number): Promise<void> {
    while (this.bytes() + bytes > this.#options.bytesMax) {
      const oldest = this.#oldestSealed();
      if (oldest !== undefined) await oldest.sender.drop(oldest.segment, 'size');
      // Files that are written to may be all there is: they end, as far as nobody writes just now.
      else if (!this.#sealAll()) return;
    }
  }

  #sealAll(): boolean {
    for (const { writer } of this.#files.values()) writer.seal();
    return this.#oldestSealed() !== undefined;
  }

  #oldestSealed(): { readonly segment: Segment; readonly sender: SegmentSender } | undefined {
    let oldest: { readonly segment: Segment; readonly sender: SegmentSender } | undefined;
    for (const { segments, sender } of this.#files.values()) {
      const segment = segments.find(({ isSealed, dropped }) => isSealed && !dropped.signal.aborted);
      if (
        segment !== undefined &&
        segment.createdMs < (oldest?.segment.createdMs ?? Number.POSITIVE_INFINITY)
      ) {
        oldest = { segment, sender };
      }
    }
    return oldest;
  }

  async #dropOld(): Promise<void> {
    const limitMs = (this.#options.now ?? Date.now)() - this.#options.ageMsMax;
    for (const { segments, writer, sender } of this.#files.values()) {
      if (segments.some(({ newestMs, isSealed }) => !isSealed && newestMs < limitMs)) writer.seal();
      for (const segment of segments.filter(({ newestMs, isSealed }) => isSealed && newestMs < limitMs)) {
        if (!segment.dropped.signal.aborted) await sender.drop(segment, 'age');
      }
    }
  }
}

/** The files of an earlier process, oldest first. Acknowledgements of files that are gone are deleted. */
function findSegments(directory: string): Segment[] {
  const names = readdirSync(directory);
  const segments = names
    .flatMap((name) => {
      const parsed = Segment.parseName(name);
      if (parsed === undefined) return [];
      const { size, mtimeMs } = statSync(join(directory, name));
      return [new Segment(directory, parsed.number, parsed.createdMs, { size, newestMs: mtimeMs })];
    })
    .sort((a, b) => a.number - b.number);
  // A new file may get the number of one that is gone.
  const numbers = new Set(segments.map(({ number }) => number));
  for (const name of names) {
    if (name.endsWith('.acks') && !numbers.has(Number.parseInt(name, 10))) rmSync(join(directory, name));
  }
  return segments;
}
