/**
 * A client that pushes numbered records, one request at a time, and holds each until it is acknowledged: what is in
 * memory is one request, however long the receiver is away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { httpHeaderBatchId } from '#wire/bus.ts';
import type { SenderKind, SenderReport } from '../run-report.ts';
import { type Schedule, type Sender, tickMs } from '../sender.ts';
import { push } from './push-client.ts';
import type { PushSignal } from './push-signal.ts';

export interface PushSenderOptions {
  readonly name: string;
  readonly kind: SenderKind;
  readonly run: string;
  /** Base URL: the signal's path is added to its own. */
  readonly url: string;
  readonly signal: PushSignal;
  /** For all requests: tenant, token. */
  readonly headers: Readonly<Record<string, string>>;
  /** Whether requests carry a batch id; without one the receiver goes by their bytes. */
  readonly hasBatchId: boolean;
  /** Hears why a try came to nothing. */
  readonly onRetry: (sender: string, reason: string) => void;
}

const requestRecordsMax = 5000;
const requestBytesMax = 2 * 1024 * 1024;

export class PushSender implements Sender {
  readonly #options: PushSenderOptions;
  readonly #url: string;
  #written = 0;
  #acknowledged = 0;
  #retries = 0;
  #failure = '';

  constructor(options: PushSenderOptions) {
    this.#options = options;
    const base = new URL(options.url);
    base.pathname = base.pathname.replace(/\/+$/, '') + options.signal.path;
    this.#url = base.href;
  }

  async run({ due, planned, stop, giveUp }: Schedule): Promise<void> {
    while (this.#written < planned && !stop.aborted && this.#failure === '') {
      const owed = due() - this.#written;
      if (owed > 0) await this.#send(owed, giveUp);
      else await delay(tickMs);
    }
  }

  report(): SenderReport {
    const { name, kind } = this.#options;
    return {
      name,
      kind,
      target: this.#url,
      written: this.#written,
      acknowledged: this.#acknowledged,
      retries: this.#retries,
      rotations: 0,
      failure: this.#failure,
    };
  }

  async #send(owed: number, giveUp: AbortSignal): Promise<void> {
    const { name, run, signal, hasBatchId, headers, onRetry } = this.#options;
    const first = this.#written + 1;
    const nowMs = Date.now();
    let count = 0;
    while (count < Math.min(owed, requestRecordsMax)) {
      const bytes = signal.add(first + count, nowMs);
      count++;
      if (bytes >= requestBytesMax) break;
    }
    const request = {
      url: this.#url,
      headers: {
        ...headers,
        ...signal.headers,
        ...(hasBatchId ? { [httpHeaderBatchId]: `load-${run}-${name}-${first}` } : {}),
      },
      body: signal.finish(),
      repeats: signal.repeats,
    };
    this.#written += count;
    try {
      const answer = await push(request, giveUp, (reason) => {
        this.#retries++;
        onRetry(name, reason);
      });
      this.#failure = signal.fault(answer, count);
    } catch (error) {
      if (!giveUp.aborted) throw error;
      this.#failure = `records from ${first} on were not acknowledged in time`;
    }
    if (this.#failure === '') this.#acknowledged = this.#written;
  }
}
