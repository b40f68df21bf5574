/** A transport that keeps what it is given, and can be told to wait, to refuse, or to reject samples. */
import { bySeries, renderRequest } from '#test/wire/remote-write/request-text.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';

export class MemoryTransport implements Transport {
  readonly envelopes: Envelope[] = [];
  /** Answers each envelope; the default takes it. */
  answer: (envelope: Envelope) => Delivery | Promise<Delivery> = () => ({ rejected: 0, reason: '' });
  #release: () => void = () => {};
  #gate: Promise<void> = Promise.resolve();

  /** Makes send wait until release or abort. */
  block(): void {
    this.#gate = new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  release(): void {
    this.#release();
  }

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    await Promise.race([this.#gate, aborted(abort)]);
    const delivery = await this.answer(envelope);
    this.envelopes.push(envelope);
    return delivery;
  }

  state(): string {
    return 'ok';
  }

  async close(): Promise<void> {}

  /** Each envelope's samples, sorted by series, without the series whose name starts with scrape_, and without times and metadata. */
  scrapes(): string[][] {
    return this.envelopes.map(({ bytes }) =>
      bySeries(renderRequest(bytes))
        .filter((line) => !line.startsWith('scrape_'))
        .map((line) => line.replace(/ @.*$/, '')),
    );
  }
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

/** Resolves when `condition` holds; rejects with the last thing it threw, or its name, after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
