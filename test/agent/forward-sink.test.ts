/**
 * Goal: who pushes to an agent hears what was taken, in the numbers that remote write 2.0 asks for.
 * Method: the sink over a transport that takes everything and says no numbers, as Kafka's does.
 */
import { expect, test } from 'vitest';
import { createForwardSink } from '#agent/forward-sink.ts';
import { RefusedError } from '#model/errors.ts';
import { encodeRemoteWrite1, encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';

const sent: Envelope[] = [];
let answer: Delivery = { rejected: 0, reason: '' };
const transport: Transport = {
  send: async (envelope) => {
    sent.push(envelope);
    return answer;
  },
  state: () => 'ok',
  close: async () => undefined,
};
const push = (bytes: Uint8Array, signal: Envelope['signal'] = 'remote_write'): Promise<Delivery> =>
  createForwardSink(transport)({ signal, tenant: 'a', batchId: 'b', key: 'k', bytes });

const request2 = encodeRemoteWrite2({
  symbols: ['', '__name__', 'm'],
  timeseries: [
    {
      labelsRefs: [1, 2],
      samples: [
        { value: 1, timestamp: 1 },
        { value: 2, timestamp: 2 },
      ],
      exemplars: [{ value: 1 }],
    },
    { labelsRefs: [1, 2], histograms: [{ countInt: 0, timestamp: 3 }] },
    { labelsRefs: [1, 2], metadata: { type: 1 } },
  ],
});

test('samples, native histograms and exemplars of 2.0 are counted where the transport counts nothing', async () => {
  expect(await push(request2)).toEqual({ accepted: 3, histograms: 1, exemplars: 1, rejected: 0, reason: '' });
  expect(sent.at(-1)?.bytes).toBe(request2);
});

test('numbers of the next station stand', async () => {
  answer = { accepted: 1, rejected: 2, reason: 'too old' };
  expect(await push(request2)).toBe(answer);
  answer = { rejected: 0, reason: '' };
});

test('1.0 and OTLP are counted by nobody', async () => {
  const labels = [{ name: '__name__', value: 'm' }];
  const request1 = encodeRemoteWrite1({ timeseries: [{ labels, samples: [{ value: 1, timestamp: 1 }] }] });
  expect(await push(request1)).toEqual({ rejected: 0, reason: '' });
  expect(await push(new Uint8Array(0), 'logs')).toEqual({ rejected: 0, reason: '' });
});

test('a histogram that is cut off is refused at the door', async () => {
  const cut = Uint8Array.from([0x2a, 4, 0x1a, 2, 0x5a, 9]);
  await expect(push(cut)).rejects.toThrow(RefusedError);
  await expect(push(cut)).rejects.toThrow(/field 11 has length 9/);
});
