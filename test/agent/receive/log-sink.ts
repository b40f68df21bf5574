/** The next station of a receiver under test: keeps envelopes, and can be told to wait. */

import { ReceiveCounts } from '#agent/receive/receive-counts.ts';
import type { ReceiverContext } from '#agent/receive/receiver.ts';
import { RefusedError } from '#model/errors.ts';
import { type ReadRecord, readRecords } from '#test/wire/syslog/syslog-text.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';

export class LogSink implements Transport {
  readonly envelopes: Envelope[] = [];
  isRefusing = false;
  #gate: PromiseWithResolvers<void> | undefined;

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    if (this.#gate !== undefined) {
      const aborted = new Promise<never>((_, reject) =>
        abort?.addEventListener('abort', () => reject(abort.reason)),
      );
      await Promise.race([this.#gate.promise, aborted]);
    }
    if (this.isRefusing) throw new RefusedError('not wanted');
    this.envelopes.push(envelope);
    return { rejected: 0, reason: '' };
  }

  block(): void {
    this.#gate ??= Promise.withResolvers();
  }

  unblock(): void {
    this.#gate?.resolve();
    this.#gate = undefined;
  }

  records(): ReadRecord[] {
    return this.envelopes.flatMap(({ bytes }) => readRecords(bytes));
  }

  bodies(): string[] {
    return this.records().map(({ body }) => body);
  }

  context(protocol: string): ReceiverContext & { readonly warnings: string[] } {
    const warnings: string[] = [];
    const say = (fields: object, message: string): void =>
      void warnings.push(`${message} ${JSON.stringify(fields)}`);
    return {
      transport: this,
      tenant: 'acme',
      node: 'node-1',
      batchBytesMax: 64 * 1024,
      log: { warn: say, error: say },
      counts: new ReceiveCounts(protocol),
      warnings,
    };
  }

  state(): string {
    return 'ok';
  }

  async close(): Promise<void> {}
}

/** Every option's default, with some of them set. */
export function optionsOf<Table extends Readonly<Record<string, { readonly default: unknown }>>>(
  table: Table,
  set: object,
): { [Key in keyof Table]: Table[Key]['default'] } {
  const defaults = Object.fromEntries(Object.entries(table).map(([key, { default: value }]) => [key, value]));
  return { ...defaults, ...set } as { [Key in keyof Table]: Table[Key]['default'] };
}
