/**
 * Records what a real Prometheus answers: gives it the data by remote write, asks, and writes golden-replies.json.
 *
 *   node test/query/api/golden/record-golden.ts /path/to/prometheus
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import snappy from 'snappyjs';
import { freePort } from '#test/support/debian-tool.ts';
import { encodeRemoteWrite1 } from '#test/support/naive/prometheus-proto.ts';
import { goldenData } from './golden-data.ts';
import { type GoldenReply, normalReply } from './golden-reply.ts';
import { goldenRequests, queryOf, requestText } from './golden-requests.ts';

const features = [
  ...['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers'],
  ...['exemplar-storage', 'search-api'],
];

const [program] = process.argv.slice(2);
if (program === undefined) throw new Error('which Prometheus? node record-golden.ts /path/to/prometheus');
const directory = mkdtempSync(join(tmpdir(), 'golden-'));
writeFileSync(join(directory, 'prometheus.yml'), 'global: {}\n');
const port = await freePort();
const child = spawn(
  program,
  [
    `--config.file=${join(directory, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(directory, 'data')}`,
    '--storage.tsdb.retention.time=100y',
    `--web.listen-address=127.0.0.1:${port}`,
    '--web.enable-remote-write-receiver',
    `--enable-feature=${features.join(',')}`,
  ],
  { stdio: 'inherit' },
);
const base = `http://127.0.0.1:${port}`;
try {
  while (
    !(await fetch(`${base}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    ))
  ) {
    await delay(100);
  }
  const written = await fetch(`${base}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-encoding': 'snappy', 'content-type': 'application/x-protobuf' },
    body: Buffer.from(snappy.compress(encodeRemoteWrite1(goldenData))),
  });
  if (!written.ok) throw new Error(`remote write: ${written.status} ${await written.text()}`);
  const replies: Record<string, GoldenReply> = {};
  for (const request of goldenRequests) {
    const query = queryOf(request);
    const url = `${base}/api/v1/${request.path}`;
    const reply =
      request.method === 'GET'
        ? await fetch(`${url}?${query}`)
        : await fetch(url, { method: 'POST', body: query });
    const type = reply.headers.get('content-type') ?? '';
    replies[requestText(request)] = normalReply(reply.status, type, await reply.text());
  }
  const file = join(import.meta.dirname, 'golden-replies.json');
  const lines = Object.entries(replies).map(
    ([name, reply]) => `${JSON.stringify(name)}: ${JSON.stringify(reply)}`,
  );
  writeFileSync(file, `{\n${lines.join(',\n')}\n}\n`);
} finally {
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('close', resolve));
  rmSync(directory, { recursive: true, force: true });
}
