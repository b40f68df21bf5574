/**
 * The next station as the agent sees it: takes envelopes, drops batch ids that it has, and can be told to wait, to
 * refuse, or to die. A batch id that comes again with other bytes is an error: the agent promises the same.
 */
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';
import { decodeRecords, type TestRecord } from './log-text.ts';

export class RecordingTransport implements Transport {
  /** By batch id: what landed, in the order in which it landed. */
  readonly landed = new Map<string, Envelope>();
  readonly sent: Envelope[] = [];
  /** What happens to an envelope instead of landing: may throw, or never return. */
  intercept: ((envelope: Envelope, abort: AbortSignal) => Promise<Delivery | undefined>) | undefined;

  async send(sent: Envelope, abort: AbortSignal = new AbortController().signal): Promise<Delivery> {
    // The sender frees its bytes when it has the answer.
    const envelope = { ...sent, bytes: new Uint8Array(sent.bytes) };
    this.sent.push(envelope);
    const delivery = await this.intercept?.(envelope, abort);
    this.land(envelope);
    return delivery ?? { rejected: 0, reason: '' };
  }

  /** `mayDiffer`: the agent reported that it could not make all of a batch again. */
  land(envelope: Envelope, mayDiffer = false): void {
    const before = this.landed.get(envelope.batchId);
    if (before !== undefined && !mayDiffer && !Buffer.from(before.bytes).equals(envelope.bytes)) {
      throw new Error(`batch ${envelope.batchId} came again with other bytes`);
    }
    if (before === undefined) this.landed.set(envelope.batchId, envelope);
  }

  records(): TestRecord[] {
    return [...this.landed.values()].flatMap(({ bytes }) => decodeRecords(bytes));
  }

  bodies(): string[] {
    return this.records().map(({ body }) => body);
  }

  state(): string {
    return 'ok';
  }

  async close(): Promise<void> {}
}

/** Waits until the sender is stopped, as a transport does whose peer is down. */
export function never(_: Envelope, abort: AbortSignal): Promise<undefined> {
  return new Promise((_resolve, reject) => {
    if (abort.aborted) reject(abort.reason);
    abort.addEventListener('abort', () => reject(abort.reason));
  });
}
