/**
 * Goal: all spans of a trace get one key, whoever sends them; a request's parts are that request again; and what becomes of
 * the parts is told as of one.
 * Method: random requests through a transport that remembers, compared by decoded spans; answers by example.
 */

import kafkajs from 'kafkajs';
import { expect, test } from 'vitest';
import { createTraceBuckets } from '#agent/transport/trace-buckets.ts';
import { RefusedError, UnavailableError } from '#model/errors.ts';
import { Lcg } from '#test/support/lcg.ts';
import { decodeTraceRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { traceRequest } from '#test/support/otlp-generator.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';

class RememberingTransport implements Transport {
  readonly sent: Envelope[] = [];
  answer: (envelope: Envelope) => Delivery | Promise<Delivery> = () => ({ rejected: 0, reason: '' });

  async send(envelope: Envelope): Promise<Delivery> {
    this.sent.push(envelope);
    return await this.answer(envelope);
  }

  state(): string {
    return 'ok';
  }

  async close(): Promise<void> {}
}

const envelopeOf = (bytes: Uint8Array, over: Partial<Envelope> = {}): Envelope => ({
  signal: 'traces',
  tenant: 'shop',
  batchId: 'batch',
  key: 'shop/batch',
  bytes,
  ...over,
});

interface Span {
  readonly traceId: Uint8Array;
  readonly spanId: Uint8Array;
}

/** Spans with their resource and scope, as text. */
function spansOf(bytes: Uint8Array): { id: string; text: string }[] {
  const { resourceSpans = [] } = decodeTraceRequest(new Uint8Array(bytes));
  return resourceSpans.flatMap(({ scopeSpans = [], ...resource }: { scopeSpans: { spans: Span[] }[] }) =>
    scopeSpans.flatMap(({ spans = [], ...scope }) =>
      spans.map((span) => ({
        id: Buffer.from(span.traceId ?? []).toString('hex'),
        text: JSON.stringify([resource, scope, span], (_, value) =>
          value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value,
        ),
      })),
    ),
  );
}

const requestOf = (ids: readonly number[]): Uint8Array =>
  encodeTraceRequest({
    resourceSpans: [
      {
        scopeSpans: [
          { spans: ids.map((id) => ({ traceId: Buffer.alloc(16, id), spanId: Buffer.alloc(8, 1) })) },
        ],
      },
    ],
  });

test('the parts of random requests have every span once, each trace under one key, the same at each try', async () => {
  const random = new Lcg(7);
  const keyOf = new Map<string, string>();
  for (let round = 0; round < 60; round++) {
    const bytes = encodeTraceRequest(traceRequest(random));
    const [first, second] = [new RememberingTransport(), new RememberingTransport()];
    await createTraceBuckets(first, 5).send(envelopeOf(bytes));
    await createTraceBuckets(second, 5).send(envelopeOf(bytes));
    expect(second.sent).toEqual(first.sent);
    expect(new Set(first.sent.map(({ batchId }) => batchId)).size).toBe(first.sent.length);
    const parts = first.sent.map((envelope) => spansOf(envelope.bytes));
    const texts = (spans: readonly { text: string }[]): string[] => spans.map(({ text }) => text).sort();
    expect(texts(parts.flat())).toEqual(texts(spansOf(bytes)));
    for (const [index, spans] of parts.entries()) {
      for (const { id } of spans) {
        const { key } = first.sent[index]!;
        if (id.length === 32) expect(keyOf.get(id) ?? key).toBe(key);
        if (id.length === 32) keyOf.set(id, key);
      }
    }
  }
  expect(new Set(keyOf.values()).size).toBe(5);
});

test.each([1, 8, 12])('of %i buckets each has a partition of its own', async (count) => {
  const transport = new RememberingTransport();
  const buckets = createTraceBuckets(transport, count);
  await buckets.send(envelopeOf(requestOf(Array.from({ length: 255 }, (_, id) => id + 1))));
  const partitionOf = kafkajs.Partitioners.DefaultPartitioner();
  const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
  const partitions = transport.sent.map(({ key }) =>
    partitionOf({ topic: 't', partitionMetadata, message: { key } } as never),
  );
  expect(partitions.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
});

test('other signals, requests without spans and what cannot be decoded go as they came', async () => {
  const transport = new RememberingTransport();
  const buckets = createTraceBuckets(transport, 8);
  const envelopes = [
    envelopeOf(requestOf([1, 2, 3]), { signal: 'logs' }),
    envelopeOf(new Uint8Array(0)),
    envelopeOf(Uint8Array.of(0x0a, 0x05, 1)),
  ];
  for (const envelope of envelopes) await buckets.send(envelope);
  expect(transport.sent).toEqual(envelopes);
});

test('a request of one trace is not copied', async () => {
  const transport = new RememberingTransport();
  const bytes = requestOf([9, 9, 9]);
  await createTraceBuckets(transport, 8).send(envelopeOf(bytes));
  expect(transport.sent).toHaveLength(1);
  expect(transport.sent[0]!.bytes).toBe(bytes);
});

test('batch ids stay within their limit', async () => {
  const transport = new RememberingTransport();
  await createTraceBuckets(transport, 8).send(
    envelopeOf(requestOf([1, 2, 3, 4, 5]), { batchId: 'x'.repeat(128) }),
  );
  for (const { batchId } of transport.sent) expect(batchId).toMatch(/^[A-Za-z0-9._:/-]{1,128}$/);
});

test('one part that is refused is counted by its spans; all refused is a refusal; what may work later comes first', async () => {
  const transport = new RememberingTransport();
  const buckets = createTraceBuckets(transport, 8);
  const bytes = requestOf([1, 2, 3, 4, 5, 6, 7, 8]);
  await buckets.send(envelopeOf(bytes));
  const [victim, other] = transport.sent.map(({ key }) => key);
  const refuse = (keys: readonly (string | undefined)[]) => (envelope: Envelope) => {
    if (keys.includes(envelope.key)) throw new RefusedError('too large', 413);
    return { rejected: 0, reason: '' };
  };
  transport.answer = refuse([victim]);
  const spanCount = spansOf(transport.sent[0]!.bytes).length;
  expect(await buckets.send(envelopeOf(bytes))).toEqual({ rejected: spanCount, reason: 'too large' });
  transport.answer = refuse(transport.sent.map(({ key }) => key));
  await expect(buckets.send(envelopeOf(bytes))).rejects.toBeInstanceOf(RefusedError);
  transport.answer = (envelope) => {
    if (envelope.key === other) throw new UnavailableError('later');
    return refuse([victim])(envelope);
  };
  await expect(buckets.send(envelopeOf(bytes))).rejects.toBeInstanceOf(UnavailableError);
});
