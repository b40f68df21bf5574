/**
 * A process that sends numbered envelopes through a disk buffer, for tests that kill it. Each envelope that the station
 * takes is a line of the sink, written before the answer; each that the buffer has taken is a line on stdout.
 *
 *   node crash-child.ts <buffer directory> <sink file> <first number> <always | interval> <send | drain>
 */
import { appendFileSync, writeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { createDiskBuffer } from '#agent/buffer/disk-buffer.ts';
import type { Transport } from '#wire/envelope.ts';

const [path, sinkPath, first, sync, mode] = process.argv.slice(2) as [string, string, string, string, string];
const silent = { warn: () => {}, error: () => {} };
let sends = 0;

const transport: Transport = {
  async send({ batchId, key, bytes }) {
    const number = sends++;
    if (mode === 'send') await delay(number % 7);
    appendFileSync(sinkPath, `${JSON.stringify({ batchId, key, text: Buffer.from(bytes).toString() })}\n`);
    if (mode === 'send') await delay(number % 3);
    return { rejected: 0, reason: '' };
  },
  state: () => 'ok',
  close: async () => {},
};

const buffer = createDiskBuffer({
  transport,
  path,
  // Small files: many of them begin and end.
  bytesMax: 64 * 1024 * 1024,
  ageMsMax: 3_600_000,
  sync: sync === 'always' ? 'always' : 'interval',
  syncIntervalMs: 50,
  drainMs: 20_000,
  log: silent,
});

if (mode === 'drain') await buffer.close();
else {
  writeSync(1, 'started\n');
  for (let number = Number(first); ; number += 5) {
    const group = Array.from({ length: 5 }, async (_, part) => {
      const text = `${number + part} ${'x'.repeat(((number + part) * 37) % 5000)}`;
      const batchId = `b${number + part}`;
      await buffer.send({
        signal: 'logs',
        tenant: 'acme',
        batchId,
        key: `k${part}`,
        bytes: Buffer.from(text),
      });
      writeSync(1, `${number + part}\n`);
    });
    await Promise.all(group);
  }
}
