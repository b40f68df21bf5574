/** Goal: a reading's samples are shipped once each. Method: readings in, requests out as text. */
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { counter, gauge } from '#agent/host/host-sample.ts';
import { SampleShipper } from '#agent/host/sample-shipper.ts';
import { MemoryTransport } from '../scrape/memory-transport.ts';

test('of two samples with one name and labels the first is shipped, and the second counted', async () => {
  const transport = new MemoryTransport();
  const log = pino({ level: 'silent' });
  const shipper = new SampleShipper({ transport, tenant: 'acme', job: 'node', node: 'n1', log });
  const [a, b] = [counter('a_total', 'All.'), gauge('b', 'Some.')];
  const samples = [
    { metric: a, labels: { x: '1' }, value: 1 },
    { metric: b, labels: {}, value: 2 },
    { metric: a, labels: { x: '1' }, value: 3 },
  ];
  await shipper.ship(samples, 1_700_000_000_000);
  await shipper.stop(1_700_000_015_000, 1000);
  const own = 'instance="n1",job="node"';
  expect(transport.scrapes()).toEqual([
    [`a_total{${own},x="1"} 1`, `b{${own}} 2`],
    [`a_total{${own},x="1"} stale`, `b{${own}} stale`],
  ]);
  expect(shipper.lost.duplicate).toBe(1);
  expect(shipper.sent).toBe(4);
});
