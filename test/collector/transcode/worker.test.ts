/** Goal: the worker thread answers what the transcoder makes, and its memory is moved. Method: a real piscina pool. */
import { Piscina } from 'piscina';
import { expect, test } from 'vitest';
import type { TranscodeResult, TranscodeTask } from '#collector/run.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { encodeLogsRequest } from '../../support/naive/otlp-proto.ts';
import { generatorUnixMs, Lcg, logsRequest } from '../../support/otlp-generator.ts';

test('a pool of one worker gives the blocks of the transcoder, and takes the request over', async () => {
  const bytes = encodeLogsRequest(logsRequest(new Lcg(5)));
  const task = (request: Uint8Array): TranscodeTask => ({
    requests: [{ signal: 'logs', tenant: 'default', bytes: request }],
    nowUnixMs: generatorUnixMs,
    oldestUnixMs: Number.NEGATIVE_INFINITY,
    seriesEpoch: 0,
  });
  const expected = createTranscoder()(task(bytes));
  await using pool = new Piscina<TranscodeTask, TranscodeResult>({
    filename: new URL('../../../collector/transcode/worker.ts', import.meta.url).href,
    maxThreads: 1,
  });
  const sent = bytes.slice();
  const result = await pool.run(task(sent), { transferList: [sent.buffer] });
  expect(sent.byteLength).toBe(0);
  expect(result).toEqual(expected);
  for (const { bytes: block } of result.blocks) expect(block.byteLength).toBe(block.buffer.byteLength);
});
