/**
 * What every Transport must do (wire/envelope.ts), whatever carries it. `carrier` opens transports to a receiver that
 * can be taken away, brought back, and read.
 */
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { contentTypeOtlp, contentTypeRemoteWrite2 } from '#wire/bus.ts';
import { type Envelope, type Signal, signals, type Transport } from '#wire/envelope.ts';

/** One envelope as it arrived at the far end. */
export interface Arrived {
  readonly signal: Signal;
  readonly tenant: string;
  readonly batchId: string;
  readonly contentType: string;
  /** Only where the carrier has one. */
  readonly key?: string | undefined;
  readonly bytes: Uint8Array;
}

export interface Carrier {
  readonly hasKeys: boolean;
  /** Whether the receiver can be taken away and brought back here. */
  readonly hasOutages: boolean;
  open(): Promise<Transport>;
  /** Whatever has arrived durably since the test began, oldest first within a key. */
  arrived(): Promise<readonly Arrived[]>;
  takeAway(): Promise<void>;
  bringBack(): Promise<void>;
  /** An envelope that the receiver refuses for good. */
  readonly refused: Envelope;
  readonly refusedMessage: RegExp;
}

let count = 0;

export function envelope(over: Partial<Envelope> = {}): Envelope {
  count++;
  return {
    signal: 'logs',
    tenant: 'team-a',
    batchId: `batch-${process.pid}-${count}`,
    key: 'team-a/one',
    bytes: Buffer.from(`body ${count}`),
    ...over,
  };
}

export function testTransport(carrier: () => Carrier): void {
  async function withTransport(use: (transport: Transport) => Promise<void>): Promise<void> {
    const transport = await carrier().open();
    try {
      await use(transport);
    } finally {
      await transport.close();
    }
  }

  test.each(signals)('%s arrive as they were sent, with tenant, batch id and content type', (signal) =>
    withTransport(async (transport) => {
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) % 251));
      const sent = envelope({ signal, bytes });
      const copy = Buffer.from(bytes);
      expect(await transport.send(sent)).toEqual({ rejected: 0, reason: '' });
      const found = (await carrier().arrived()).filter(({ batchId }) => batchId === sent.batchId);
      expect(found).toEqual([
        {
          signal,
          tenant: 'team-a',
          batchId: sent.batchId,
          contentType: signal === 'remote_write' ? contentTypeRemoteWrite2 : contentTypeOtlp,
          ...(carrier().hasKeys ? { key: 'team-a/one' } : {}),
          bytes: copy,
        },
      ]);
      await eventually(() => transport.state() === 'ok');
    }),
  );

  test('an empty body and one of a view of a larger buffer arrive as they are', () =>
    withTransport(async (transport) => {
      const large = Buffer.from('before|middle|after');
      const [empty, view] = [
        envelope({ bytes: new Uint8Array(0) }),
        envelope({ bytes: large.subarray(7, 13) }),
      ];
      await Promise.all([transport.send(empty), transport.send(view)]);
      const arrived = await carrier().arrived();
      const text = (id: string) =>
        Buffer.from(arrived.find(({ batchId }) => batchId === id)!.bytes).toString();
      expect([text(empty.batchId), text(view.batchId)]).toEqual(['', 'middle']);
    }));

  test('a send resolves only after the envelope is at the far end', () =>
    withTransport(async (transport) => {
      const sent = Array.from({ length: 30 }, () => envelope());
      await Promise.all(
        sent.map(async (each) => {
          await transport.send(each);
          const ids = (await carrier().arrived()).map(({ batchId }) => batchId);
          expect(ids).toContain(each.batchId);
        }),
      );
    }));

  test('envelopes of one key that are sent one after the other stay in order', () =>
    withTransport(async (transport) => {
      const sent = Array.from({ length: 10 }, () => envelope());
      for (const each of sent) await transport.send(each);
      const ids = (await carrier().arrived()).map(({ batchId }) => batchId);
      expect(ids.filter((id) => sent.some(({ batchId }) => batchId === id))).toEqual(
        sent.map(({ batchId }) => batchId),
      );
    }));

  test('what is sent while the receiver is away arrives once when it is back, and the state says why it waits', async ({
    skip,
  }) => {
    if (!carrier().hasOutages) skip('this receiver cannot be taken away');
    await withTransport(async (transport) => {
      await transport.send(envelope());
      await carrier().takeAway();
      const sent = [envelope(), envelope(), envelope({ key: 'team-a/two' })];
      const sends = Promise.all(sent.map((each) => transport.send(each)));
      await eventually(() => transport.state() !== 'ok');
      await carrier().bringBack();
      await sends;
      await eventually(() => transport.state() === 'ok');
      const ids = (await carrier().arrived()).map(({ batchId }) => batchId);
      for (const { batchId } of sent) expect(ids.filter((id) => id === batchId)).toEqual([batchId]);
    });
  });

  test('a transport may be opened before its receiver is there', async ({ skip }) => {
    if (!carrier().hasOutages) skip('this receiver cannot be taken away');
    await carrier().takeAway();
    await withTransport(async (transport) => {
      const sent = envelope();
      const send = transport.send(sent);
      await eventually(
        () => /ECONNREFUSED/.test(transport.state()),
        () => transport.state(),
      );
      await carrier().bringBack();
      await send;
      expect((await carrier().arrived()).map(({ batchId }) => batchId)).toContain(sent.batchId);
    });
  });

  test('an abort rejects with its reason, before and while a send waits, and later sends go on', async ({
    skip,
  }) => {
    if (!carrier().hasOutages) skip('this receiver cannot be taken away');
    await withTransport(async (transport) => {
      await transport.send(envelope());
      const reason = new Error('the agent stops');
      await expect(transport.send(envelope(), AbortSignal.abort(reason))).rejects.toBe(reason);
      await carrier().takeAway();
      const abort = new AbortController();
      const send = transport.send(envelope(), abort.signal);
      await eventually(() => transport.state() !== 'ok');
      abort.abort(reason);
      await expect(send).rejects.toBe(reason);
      await carrier().bringBack();
      expect(await transport.send(envelope())).toEqual({ rejected: 0, reason: '' });
    });
  });

  test('what the receiver refuses rejects with the reason, and others are not held up', () =>
    withTransport(async (transport) => {
      const fine = [envelope(), envelope()];
      const refusal = transport.send(carrier().refused).catch((error: unknown) => error);
      await Promise.all(fine.map((each) => transport.send(each)));
      const error = await refusal;
      expect(error).toBeInstanceOf(RefusedError);
      expect((error as Error).message).toMatch(carrier().refusedMessage);
    }));
}
