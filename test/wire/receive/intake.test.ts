/**
 * Goal: what a request holds in memory is told before it is taken, at every step, also where a conversion makes it grow.
 * Method: the intake alone, with a hold that records and refuses, and a sink that records.
 */
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { UnavailableError } from '#model/errors.ts';
import { createConverterPool } from '#wire/conversion/converter-pool.ts';
import type { Envelope } from '#wire/envelope.ts';
import { createIntake } from '#wire/receive/intake.ts';

const zeros = Array.from({ length: 1000 }, () => 0).join(',');
const metrics = `{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"histogram":{"dataPoints":[{"bucketCounts":[${zeros}]}]}}]}]}]}`;

function push(holdsMax: number) {
  const held: number[] = [];
  const received: Envelope[] = [];
  const intake = createIntake({
    bodyBytesMax: 100_000,
    pool: createConverterPool(),
    now: () => 5n,
    sink: async (envelope) => {
      received.push(envelope);
      return { accepted: 1, rejected: 0, reason: '' };
    },
  });
  const body = gzipSync(metrics);
  const outcome = intake({
    signal: 'metrics',
    form: { format: 'otlp_json_metrics', encodingDefault: 'identity' },
    tenant: 't',
    received: body,
    encoding: 'gzip',
    batchId: undefined,
    gone: new AbortController().signal,
    hold: (bytes) => {
      if (held.length === holdsMax) throw new UnavailableError('too many bytes');
      held.push(bytes);
    },
  });
  return { outcome, held, received, bodyBytes: body.length };
}

test('received, inflated and converted bytes are held, each before the next step', async () => {
  const { outcome, held, received, bodyBytes } = push(Number.POSITIVE_INFINITY);
  expect(await outcome).toEqual({ accepted: 1, rejected: 0, reason: '', ignored: 0 });
  const convertedBytes = received[0]!.bytes.length;
  expect(convertedBytes).toBeGreaterThan(metrics.length);
  expect(held.slice(-3)).toEqual([
    bodyBytes + metrics.length,
    bodyBytes + 2 * metrics.length,
    bodyBytes + convertedBytes,
  ]);
});

test('what does not fit is told to come again, at whichever step, and goes no further', async () => {
  const { held } = push(Number.POSITIVE_INFINITY);
  await expect.poll(() => held.length).toBe(6);
  for (let holds = 0; holds < held.length; holds++) {
    const { outcome, received } = push(holds);
    await expect(outcome).rejects.toBeInstanceOf(UnavailableError);
    expect(received).toEqual([]);
  }
});

test('a body waits as it came while its sink has no room, and is dropped when its sender goes', async () => {
  const room = Promise.withResolvers<void>();
  const held: number[] = [];
  const sink = Object.assign(
    async (envelope: Envelope) => ({ accepted: envelope.bytes.length, rejected: 0, reason: '' }),
    {
      whenRoom: (_signal: unknown, abort: AbortSignal) =>
        Promise.race([
          room.promise,
          new Promise<never>((_resolve, reject) => {
            abort.addEventListener('abort', () => reject(abort.reason));
          }),
        ]),
    },
  );
  const intake = createIntake({ bodyBytesMax: 100_000, pool: createConverterPool(), now: () => 5n, sink });
  const body = gzipSync(Buffer.alloc(5000));
  const gone = new AbortController();
  const send = (signal: AbortSignal) =>
    intake({
      signal: 'logs',
      form: { format: undefined, encodingDefault: 'identity' },
      tenant: 't',
      received: body,
      encoding: 'gzip',
      batchId: undefined,
      gone: signal,
      hold: (bytes) => void held.push(bytes),
    });
  const waiting = send(new AbortController().signal);
  const leaving = send(gone.signal);
  await expect.poll(() => held).toEqual([body.length + 5000, body.length + 5000]);
  gone.abort(new UnavailableError('the client did not wait'));
  await expect(leaving).rejects.toThrow('did not wait');
  room.resolve();
  expect(await waiting).toMatchObject({ accepted: 5000 });
});
