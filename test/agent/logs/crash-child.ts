/**
 * A process that runs the log agent against a sink in a file, for tests that kill it. Each envelope becomes one line
 * of the sink, written before the answer; the answer takes a while, so that a kill often falls between the two.
 *
 *   node crash-child.ts <log directory> <sink file> <checkpoint file>
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startLogAgent } from '#agent/logs/log-agent.ts';
import type { Envelope, Transport } from '#wire/envelope.ts';

const [directory, sinkPath, checkpointPath] = process.argv.slice(2);
const silent = { info: () => {}, warn: () => {}, error: () => {} };
let sendCount = 0;

const transport: Transport = {
  async send({ batchId, bytes }: Envelope) {
    await delay(sendCount % 3);
    appendFileSync(
      sinkPath,
      JSON.stringify({ batchId, bytes: Buffer.from(bytes).toString('base64') }) + '\n',
    );
    await delay(sendCount++ % 5);
    return { rejected: 0, reason: '' };
  },
  state: () => 'ok',
  close: async () => {},
};

const agent = startLogAgent({
  globs: [join(directory, '*.log')],
  transport,
  tenant: 'acme',
  checkpointPath,
  node: 'node-1',
  log: silent,
  flushIntervalMs: 5,
  discoverIntervalMs: 10,
  pollIntervalMs: 5,
  batchBytesMax: 20_000,
  lineBytesMax: 1000,
});

process.on('SIGTERM', () => {
  agent.stop({ drainMs: 10_000 }).then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
process.stdout.write('started\n');
