/**
 * Goal: processors are a part of making a batch: what they leave is sent once, what they count is counted once, and a batch
 * that is sent again after a crash is the same.
 * Method: a log agent on real files, with a transport that records, waits or refuses.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';
import { numberedLines, startAgent, temporaryDirectory, until } from '../logs/log-agent-run.ts';
import { never, RecordingTransport } from '../logs/recording-transport.ts';
import { startProcessors } from './processed-text.ts';

const yaml = `
- log_metric: { name: lines_total, pattern: "line (?P<n>[0-9]+)", labels: { service: { resource: service.name } } }
- drop: { body: "[02468]$" }
- sample: { rate: 0.5 }
- redact: { patterns: { number: "[0-9]+" } }
- attributes: { resource: { set: { env: test } } }
`;

test('a batch is settled once: sent after the processors, counted when it is confirmed', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 1000));
  const processors = await startProcessors(yaml);
  // Small batches: ranges that do not fit are encoded again.
  const { agent, transport } = startAgent(directory, { processors, batchBytesMax: 3000 });
  await until('all is read', () => agent.status().lagBytes === 0 && agent.counters().lines === 1000);
  const { records, recordsDropped, recordsDelivered } = agent.counters();
  expect(records + recordsDropped).toBe(1000);
  expect(recordsDelivered).toBe(records);
  expect(new Set(transport.bodies())).toEqual(new Set(['line [number]']));
  expect(transport.records()).toHaveLength(records);
  expect(transport.records()[0]!.resource.env).toBe('test');
  expect(agent.status().lost).toEqual([]);
  const [metric, drop, sample, redact] = processors.totals();
  expect([metric!.in, drop!.in, drop!.dropped, sample!.in]).toEqual([1000, 1000, 500, 500]);
  expect([sample!.dropped, redact!.changed]).toEqual([recordsDropped - 500, records]);
  await agent.stop({ drainMs: 0 });
  await processors.stop({ drainMs: 0 });
});

test('after a crash the same bytes are made again, and their records are counted once', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 200));
  const transport = new RecordingTransport();
  // It lands, and the answer is lost.
  transport.intercept = (envelope, abort) => {
    transport.land(envelope);
    return never(envelope, abort);
  };
  const first = await startProcessors(yaml);
  const { agent } = startAgent(directory, { processors: first, transport });
  await until('a batch was sent', () => transport.sent.length > 0);
  await agent.stop({ drainMs: 0 });
  expect(first.totals().every(({ in: taken }) => taken === 0)).toBe(true);
  await first.stop({ drainMs: 0 });

  transport.intercept = undefined;
  const metrics = new RecordingTransport();
  metrics.land = () => undefined;
  const second = await startProcessors(yaml, { transport: metrics });
  const again = startAgent(directory, { processors: second, transport });
  await until('it was sent again', () => again.agent.counters().batchesConfirmed > 0);
  await until('all is read', () => again.agent.status().lagBytes === 0);
  expect(again.agent.counters().batchesResent).toBeGreaterThan(0);
  expect(second.totals()[0]!.in).toBe(200);
  await again.agent.stop({ drainMs: 0 });
  await second.stop({ drainMs: 1000 });
  const request = decodeRemoteWrite2(metrics.sent[0]!.bytes);
  expect(JSON.stringify(request)).toContain('200');
});

test('a module is meant by the resource as the steps before have left it', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 4));
  writeFileSync(
    join(directory, 'odd.ts'),
    `export default { create: () => ({ process: (record) => (/[13579]$/.test(record.body) ? undefined : 'drop') }) };`,
  );
  const steps =
    '- attributes: { resource: { set: { env: test } } }\n- module: ./odd.ts\n  when: { env: test }';
  const processors = await startProcessors(steps, { directory });
  const { agent, transport } = startAgent(directory, { processors });
  await until('all is confirmed', () => agent.counters().lines === 4 && agent.status().lagBytes === 0);
  expect(transport.bodies()).toEqual(['line 1', 'line 3']);
  expect(agent.counters().recordsDelivered).toBe(2);
  expect(processors.totals()).toMatchObject([{ processor: '1.module', in: 4, dropped: 2 }]);
  await agent.stop({ drainMs: 0 });
  await processors.stop({ drainMs: 0 });
});

test('a batch without any record left is confirmed, and nothing is sent', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 10));
  const processors = await startProcessors('- drop: { body: line }');
  const { agent, transport } = startAgent(directory, { processors });
  await until('all is read', () => agent.counters().batchesConfirmed > 0);
  await until('nothing is left', () => agent.status().lagBytes === 0);
  expect(transport.sent).toEqual([]);
  expect(processors.totals()).toMatchObject([{ in: 10, dropped: 10 }]);
  await agent.stop({ drainMs: 0 });
  await processors.stop({ drainMs: 0 });
});
