/** A disk buffer under test, in a directory of its own, before a station that can wait, refuse and die. */
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createDiskBuffer, type DiskBuffer, type DiskBufferOptions } from '#agent/buffer/disk-buffer.ts';
import type { Delivery, Envelope, Signal, Transport } from '#wire/envelope.ts';

/** Keeps what it takes, as text. While it is shut, sends wait. */
export class Station implements Transport {
  readonly taken: string[] = [];
  isShut = false;
  /** What becomes of an envelope instead of being taken. */
  intercept: ((envelope: Envelope) => Promise<Delivery | undefined>) | undefined;
  inFlight = 0;
  inFlightMost = 0;

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    this.inFlightMost = Math.max(this.inFlightMost, ++this.inFlight);
    try {
      while (this.isShut) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        abort?.throwIfAborted();
      }
      const delivery = await this.intercept?.(envelope);
      this.taken.push(render(envelope));
      return delivery ?? { rejected: 0, reason: '' };
    } finally {
      this.inFlight--;
    }
  }

  state(): string {
    return this.isShut ? 'shut' : 'ok';
  }

  async close(): Promise<void> {}
}

export function render({ batchId, bytes }: Pick<Envelope, 'batchId' | 'bytes'>): string {
  return `${batchId}=${Buffer.from(bytes).toString()}`;
}

export function envelope(
  batchId: string,
  text: string | Uint8Array = batchId,
  key = 'k',
  signal: Signal = 'logs',
): Envelope {
  return { signal, tenant: 'acme', batchId, key, bytes: Buffer.from(text) };
}

export function temporaryPath(): string {
  return mkdtempSync(join(tmpdir(), 'sonde-buffer-'));
}

export function openBuffer(
  path: string,
  transport: Transport,
  options: Partial<DiskBufferOptions> = {},
): DiskBuffer & { readonly warnings: string[] } {
  const warnings: string[] = [];
  const say = (fields: object, message: string): void =>
    void warnings.push(`${message} ${JSON.stringify(fields)}`);
  const buffer = createDiskBuffer({
    transport,
    path,
    bytesMax: 8 * 1024 * 1024,
    ageMsMax: 3_600_000,
    sync: 'interval',
    syncIntervalMs: 100,
    drainMs: 0,
    log: { warn: say, error: say },
    ...options,
  });
  return Object.assign(buffer, { warnings });
}
