/** Goal: the worker thread answers what the transcoder makes, and its memory is moved. Method: a real piscina pool. */
import { Piscina } from 'piscina';
import { expect, test } from 'vitest';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import type { WorkerReply, WorkerTask } from '#collector/transcode/worker.ts';
import { Lcg } from '../../support/lcg.ts';
import { encodeLogsRequest } from '../../support/naive/otlp-proto.ts';
import { generatorUnixMs, logsRequest } from '../../support/otlp-generator.ts';

const context = { nowUnixMs: generatorUnixMs, oldestUnixMs: Number.NEGATIVE_INFINITY, seriesEpoch: 0 };
const openPool = () =>
  new Piscina<WorkerTask, WorkerReply>({
    filename: new URL('../../../collector/transcode/worker.ts', import.meta.url).href,
    maxThreads: 1,
  });

test('a pool of one worker gives the blocks of the transcoder, and takes the request over', async () => {
  const bytes = encodeLogsRequest(logsRequest(new Lcg(5)));
  const request = (body: Uint8Array) => ({ signal: 'logs', tenant: 'default', bytes: body }) as const;
  const expected = createTranscoder()({ requests: [request(bytes)], ...context });
  await using pool = openPool();
  const sent = bytes.slice();
  const { open } = await pool.run(
    { kind: 'append', slot: 'pushed', requests: [request(sent)], context },
    { transferList: [sent.buffer] },
  );
  expect(sent.byteLength).toBe(0);
  expect(open!.outcomes).toEqual(expected.outcomes);
  const taken = await pool.run({ kind: 'take', slot: 'pushed', family: 'logs' });
  expect(taken).toMatchObject({ blocks: expected.blocks, requestCount: 1 });
  expect(await pool.run({ kind: 'take', slot: 'pushed', family: 'logs' })).toMatchObject({
    blocks: [],
    requestCount: 0,
  });
});

test('pushed requests and Kafka runs are in blocks of their own', async () => {
  const bytes = encodeLogsRequest(logsRequest(new Lcg(5)));
  await using pool = openPool();
  for (const slot of ['pushed', 'kafka'] as const) {
    const requests = [{ signal: 'logs', tenant: slot, bytes } as const];
    await pool.run({ kind: 'append', slot, requests, context });
  }
  for (const slot of ['pushed', 'kafka'] as const) {
    const { requestCount } = await pool.run({ kind: 'take', slot, family: 'logs' });
    expect(requestCount).toBe(1);
  }
});
