/**
 * Goal: what is written to a followed file lands once, through rotation, truncation, restarts and failures.
 * Method: real files in a temporary directory, the real agent, and a transport that records what lands.
 */
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Checkpoint } from '#agent/logs/checkpoint/checkpoint.ts';
import { loadCheckpoint } from '#agent/logs/checkpoint/checkpoint-file.ts';
import { ConfigError, RefusedError } from '#model/errors.ts';
import { numberedBodies, numberedLines, startAgent, temporaryDirectory, until } from './log-agent-run.ts';
import { criLine, decodeRecords, dockerLine } from './log-text.ts';
import { never, RecordingTransport } from './recording-transport.ts';

const drain = { drainMs: 5000 };

function checkpointOf(directory: string): Checkpoint {
  return loadCheckpoint(join(directory, 'state', 'logs.json'))!;
}

test('lines that are there, and lines that come, land in order with the file as their resource', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'shop.log');
  writeFileSync(path, numberedLines(1, 100));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.bodies().length === 100);
  appendFileSync(path, numberedLines(101, 150) + 'half a li');
  await until('the new lines land', () => transport.bodies().length === 150);
  appendFileSync(path, 'ne\n');
  await until('the completed line lands', () => transport.bodies().length === 151);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual([...numberedBodies(1, 150), 'half a line']);
  expect(transport.records()[0].resource).toEqual({
    'service.name': 'shop',
    'log.file.name': 'shop.log',
    'log.file.path': path,
    'host.name': 'node-1',
  });
  const [envelope] = transport.sent;
  expect([envelope.signal, envelope.tenant, envelope.key]).toEqual(['logs', 'acme', 'acme/node-1/0']);
  expect(agent.status()).toMatchObject({ lagBytes: 0, linesRead: 151, lost: [], problems: [] });
  expect(agent.counters()).toMatchObject({
    records: 151,
    recordsDelivered: 151,
    bytesRead: statSync(path).size,
  });
});

test('formats are told apart by content, and paths of pods and docker name their containers', async () => {
  const directory = temporaryDirectory();
  const pod = join(directory, 'pods', 'shop_cart-5d9_0f1e-22', 'web');
  const id = 'ab'.repeat(32);
  const container = join(directory, 'containers', id);
  for (const path of [pod, container]) mkdirSync(path, { recursive: true });
  writeFileSync(join(pod, '3.log'), criLine('hello', { ms: 7 }));
  writeFileSync(join(container, `${id}-json.log`), dockerLine('hi\n', { stream: 'stderr' }));
  writeFileSync(join(container, 'config.v2.json'), JSON.stringify({ Name: '/cart-1' }));
  const globs = [join(directory, 'pods/*/*/*.log'), join(directory, 'containers/*/*-json.log')];
  const { agent, transport } = startAgent(directory, { globs });
  await agent.stop(drain);
  expect(transport.records().sort((a, b) => (a.body < b.body ? -1 : 1))).toEqual([
    {
      body: 'hello',
      time: '1767323045007000000',
      attributes: { 'log.iostream': 'stdout' },
      resource: {
        'service.name': 'web',
        'k8s.namespace.name': 'shop',
        'k8s.pod.name': 'cart-5d9',
        'k8s.pod.uid': '0f1e-22',
        'k8s.container.name': 'web',
        'k8s.container.restart_count': '3',
        'host.name': 'node-1',
      },
    },
    {
      body: 'hi',
      time: '1767323045000000000',
      attributes: { 'log.iostream': 'stderr' },
      resource: {
        'service.name': 'cart-1',
        'container.id': id,
        'container.name': 'cart-1',
        'host.name': 'node-1',
      },
    },
  ]);
  expect(agent.status().files.map(({ format }) => format)).toEqual(['cri', 'docker']);
});

test('a file that two globs find through a link is followed once, under its first path', async () => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'real'));
  mkdirSync(join(directory, 'linked'));
  writeFileSync(join(directory, 'real', 'a.log'), numberedLines(1, 3));
  symlinkSync(join(directory, 'real', 'a.log'), join(directory, 'linked', 'b.log'));
  const globs = [join(directory, 'linked', '*.log'), join(directory, 'real', '*.log')];
  const { agent, transport } = startAgent(directory, { globs });
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 3));
  expect(agent.status().files.map(({ path }) => path)).toEqual([join(directory, 'linked', 'b.log')]);
});

test('a rotated file is read to its end, and the new one from its start', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 10));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.bodies().length === 10);
  transport.intercept = never;
  appendFileSync(path, numberedLines(11, 20));
  await until('a batch waits', () => agent.status().batchesInFlight === 1);
  appendFileSync(path, numberedLines(21, 30));
  renameSync(path, join(directory, 'a.log.1'));
  writeFileSync(path, numberedLines(31, 40));
  await until('the new file is found', () => agent.status().files.length === 2);
  await agent.stop({ drainMs: 0 });

  const next = startAgent(directory);
  await until('all lands', () => next.transport.bodies().length === 30);
  await until('the old file is let go', () => next.agent.status().files.length === 1);
  expect(next.transport.bodies().sort()).toEqual(numberedBodies(11, 40).sort());
  expect(next.agent.status().lost).toEqual([]);
  expect(agent.counters().filesRotated).toBe(1);
});

test('what is written to a rotated file after its rotation lands too, a torn last line included', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 2));
  const { agent, transport } = startAgent(directory);
  await until('the first lines land', () => transport.bodies().length === 2);
  renameSync(path, join(directory, 'a.log.1'));
  await until('the rotation is seen', () => agent.counters().filesRotated === 1);
  appendFileSync(join(directory, 'a.log.1'), 'line 3\ntorn');
  await until('the last bytes land', () => transport.bodies().length === 4);
  expect(transport.bodies()).toEqual([...numberedBodies(1, 3), 'torn']);
});

test('a file that is deleted while the agent is behind is read to its end', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 5));
  const transport = new RecordingTransport();
  let open = (): void => {};
  const gate = new Promise<undefined>((resolve) => {
    open = () => resolve(undefined);
  });
  transport.intercept = () => gate;
  const { agent } = startAgent(directory, { transport });
  await until('a batch waits', () => agent.status().batchesInFlight === 1);
  appendFileSync(path, numberedLines(6, 5000));
  unlinkSync(path);
  await until('the deletion is seen', () => agent.counters().filesRotated === 1);
  open();
  await until('the file is let go', () => agent.status().files.length === 0);
  expect(transport.bodies()).toEqual(numberedBodies(1, 5000));
  expect(agent.status().lost).toEqual([]);
});

test('a file that is deleted unread while the agent is away is counted as lost, with its name and bytes', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 5));
  const first = startAgent(directory);
  await until('the lines land', () => first.transport.bodies().length === 5);
  appendFileSync(path, 'no line feed');
  await until('the rest is seen', () => first.agent.status().lagBytes === 12);
  await first.agent.stop(drain);
  unlinkSync(path);
  const { agent } = startAgent(directory);
  await until('the loss is seen', () => agent.status().lost.length === 1);
  expect(agent.status().lost).toEqual([{ reason: 'deleted', path, records: 0, bytes: 12 }]);
});

test('a truncated file is read from its start, and what was not read is counted as lost', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, `${numberedLines(1, 50)}unfinished line`);
  const { agent, transport } = startAgent(directory);
  await until('the lines land', () => transport.bodies().length === 50);
  truncateSync(path, 0);
  appendFileSync(path, numberedLines(51, 55));
  await until('the new lines land', () => transport.bodies().length === 55);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 55));
  expect(agent.status().lost).toEqual([{ reason: 'truncated', path, records: 0, bytes: 15 }]);
  expect(agent.counters().filesTruncated).toBe(1);
});

test.each([{ glob: '*.log' }, { glob: 'a.log*' }])(
  'copytruncate loses and repeats nothing, with the copy inside or outside of $glob',
  async ({ glob }) => {
    const directory = temporaryDirectory();
    const path = join(directory, 'a.log');
    writeFileSync(path, numberedLines(1, 300));
    const { agent, transport } = startAgent(directory, { globs: [join(directory, glob)] });
    await until('the lines land', () => transport.bodies().length === 300);
    transport.intercept = never;
    appendFileSync(path, numberedLines(301, 302));
    await until('a batch waits', () => agent.status().batchesInFlight === 1);
    appendFileSync(path, numberedLines(303, 320));
    copyFileSync(path, join(directory, 'a.log.1'));
    const { discoveries } = { discoveries: statSync(path).size };
    await until('the copy was there for a look', () => agent.status().files[0].size === discoveries);
    truncateSync(path, 0);
    appendFileSync(path, numberedLines(321, 330));
    await until('the truncation is seen', () => agent.status().files.length === 2);
    await agent.stop({ drainMs: 0 });
    const next = startAgent(directory, { globs: [join(directory, glob)], transport });
    transport.intercept = undefined;
    await until('all lands', () => transport.bodies().length >= 330);
    await next.agent.stop(drain);
    expect(transport.bodies().sort()).toEqual(numberedBodies(1, 330).sort());
    expect([agent.status().lost, next.agent.status().lost]).toEqual([[], []]);
  },
);

test('copytruncate while the agent is away loses and repeats nothing', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 300));
  const first = startAgent(directory);
  await first.agent.stop(drain);
  appendFileSync(path, numberedLines(301, 320));
  copyFileSync(path, join(directory, 'a.log-20260102'));
  truncateSync(path, 0);
  appendFileSync(path, numberedLines(321, 330));
  const { agent, transport } = startAgent(directory);
  await agent.stop(drain);
  expect(transport.bodies().sort()).toEqual(numberedBodies(301, 330).sort());
  expect(agent.status().lost).toEqual([]);
});

test('a new file under the inode of an old one is read from its start', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 20));
  const first = startAgent(directory);
  await first.agent.stop(drain);
  // The same inode, other content, and longer than what was read: only the fingerprint tells.
  writeFileSync(path, numberedLines(1, 40, 'other'));
  const { agent, transport } = startAgent(directory);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 40, 'other'));
});

test('a file that is rewritten in place while it is followed is read from its start', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 20));
  const { agent, transport } = startAgent(directory);
  await until('the lines land', () => transport.bodies().length === 20);
  writeFileSync(path, numberedLines(1, 40, 'other'));
  await until('the new lines land', () => transport.bodies().length === 60);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual([...numberedBodies(1, 20), ...numberedBodies(1, 40, 'other')]);
  expect(agent.counters().filesTruncated).toBe(1);
});

test('a restart goes on where it was, without gap or repeat', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  const transport = new RecordingTransport();
  for (let round = 0; round < 4; round++) {
    appendFileSync(path, numberedLines(round * 10 + 1, round * 10 + 10));
    await startAgent(directory, { transport }).agent.stop(drain);
  }
  expect(transport.bodies()).toEqual(numberedBodies(1, 40));
});

test('a batch whose answer never came is sent again with the same id and bytes, before anything new', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  // The last line waits for what may belong to it, so it is not in the first batch.
  writeFileSync(path, criLine('one') + criLine('two', { tag: 'P' }) + criLine('three') + criLine('four'));
  const first = startAgent(directory, { joinWaitMs: 60_000, lineBytesMax: 5 });
  first.transport.intercept = never;
  await until('a batch waits', () => first.transport.sent.length === 1);
  await first.agent.stop({ drainMs: 0 });
  expect(checkpointOf(directory).pending).toHaveLength(1);

  // Other limits than before: what was sent must not change with them.
  const next = startAgent(directory);
  await until('all lands', () => next.transport.landed.size >= 2);
  const [again] = next.transport.sent;
  const [before] = first.transport.sent;
  expect([again.batchId, again.key]).toEqual([before.batchId, before.key]);
  expect(Buffer.from(again.bytes).equals(before.bytes)).toBe(true);
  expect(decodeRecords(again.bytes).map(({ body }) => body)).toEqual(['one', 'two', 'three']);
  await next.agent.stop(drain);
  expect(next.transport.bodies().slice(3)).toEqual(['four']);
  expect(next.agent.counters().batchesResent).toBe(1);
  expect(checkpointOf(directory).pending).toEqual([]);
});

test('a pending batch whose file is gone is counted, and the rest of it is sent under its id', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3, 'a'));
  writeFileSync(join(directory, 'b.log'), numberedLines(1, 3, 'b'));
  const first = startAgent(directory, { joinWaitMs: 60_000 });
  first.transport.intercept = never;
  await until('a batch waits', () => first.transport.sent.length === 1);
  await first.agent.stop({ drainMs: 0 });
  unlinkSync(join(directory, 'a.log'));
  const { agent, transport } = startAgent(directory);
  await until('the loss is seen', () => agent.status().lost.length === 2);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(numberedBodies(1, 3, 'b'));
  const path = join(directory, 'a.log');
  expect(agent.status().lost).toEqual([
    { reason: 'deleted', path, records: 0, bytes: 4 },
    { reason: 'deleted_before_resend', path, records: 0, bytes: 8 },
  ]);
});

test('the checkpoint on disk names a batch before it is sent', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  const transport = new RecordingTransport();
  const seen: number[] = [];
  transport.intercept = async ({ batchId }) => {
    const { pending } = checkpointOf(directory);
    seen.push(pending.filter((batch) => batch.batchId === batchId).length);
    return undefined;
  };
  await startAgent(directory, { transport }).agent.stop(drain);
  expect(seen.length).toBeGreaterThan(0);
  expect(new Set(seen)).toEqual(new Set([1]));
});

test('batches stay below their limit, files take turns, and a chatty file does not starve another', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'chatty.log'), criLine('x'.repeat(100)).repeat(20_000));
  writeFileSync(join(directory, 'quiet.log'), criLine('quiet') + criLine('last'));
  const { agent, transport } = startAgent(directory, { batchBytesMax: 256 * 1024, lineBytesMax: 16 * 1024 });
  await until('all lands', () => transport.bodies().length === 20_002);
  await agent.stop(drain);
  expect(transport.sent.length).toBeGreaterThan(5);
  expect(Math.max(...transport.sent.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(256 * 1024);
  const position = transport.sent.findIndex(({ bytes }) =>
    decodeRecords(bytes).some(({ body }) => body === 'quiet'),
  );
  expect(position).toBeLessThan(2);
});

test('short lines, which grow when they are encoded, do not exceed the limit either', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), 'a\n'.repeat(60_000));
  const { agent, transport } = startAgent(directory, { batchBytesMax: 64 * 1024 });
  await agent.stop(drain);
  expect(transport.bodies().length).toBe(60_000);
  expect(Math.max(...transport.sent.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(64 * 1024);
});

test('a line without end is shipped in pieces', async () => {
  const directory = temporaryDirectory();
  const text = 'süß '.repeat(100_000);
  writeFileSync(join(directory, 'a.log'), `${text}\nnext\n`);
  const { agent, transport } = startAgent(directory, { lineBytesMax: 10_000 });
  await agent.stop(drain);
  expect(transport.bodies().at(-1)).toBe('next');
  expect(transport.bodies().slice(0, -1).join('')).toBe(text);
  expect(transport.bodies().every((body) => Buffer.byteLength(body) <= 10_000)).toBe(true);
});

test('no more than maxInFlight batches are under way, and a file without times has one', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), criLine('x'.repeat(100)).repeat(5000));
  const cri = startAgent(directory, { maxInFlight: 3, batchBytesMax: 70_000, lineBytesMax: 1000 });
  cri.transport.intercept = never;
  await until('three wait', () => cri.agent.status().batchesInFlight === 3);
  expect(cri.transport.sent.length).toBeLessThanOrEqual(3);
  await cri.agent.stop({ drainMs: 0 });

  const other = temporaryDirectory();
  writeFileSync(join(other, 'a.log'), numberedLines(1, 50_000));
  const plain = startAgent(other, { maxInFlight: 3, batchBytesMax: 70_000, lineBytesMax: 1000 });
  let underWay = 0;
  let underWayMax = 0;
  plain.transport.intercept = async () => {
    underWayMax = Math.max(underWayMax, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    return undefined;
  };
  await plain.agent.stop(drain);
  expect(underWayMax).toBe(1);
  expect(plain.transport.bodies()).toEqual(numberedBodies(1, 50_000));
});

test('files spread over lanes, and each file stays in its lane', async () => {
  const directory = temporaryDirectory();
  for (let index = 0; index < 60; index++) {
    writeFileSync(join(directory, `f${index}.log`), numberedLines(1, 3, `f${index}`));
  }
  const { agent, transport } = startAgent(directory, { lanes: 3 });
  await agent.stop(drain);
  expect(transport.bodies().length).toBe(180);
  const keyByFile = new Map<string, Set<string>>();
  for (const { key, bytes } of transport.sent) {
    for (const { resource } of decodeRecords(bytes)) {
      const keys = keyByFile.get(resource['service.name']) ?? new Set();
      keyByFile.set(resource['service.name'], keys.add(key));
    }
  }
  expect([...keyByFile.values()].every(({ size }) => size === 1)).toBe(true);
  expect(new Set([...keyByFile.values()].map((keys) => [...keys][0])).size).toBe(3);
});

test('a refused batch is counted as lost, per file, and the next lines go on', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 3));
  const transport = new RecordingTransport();
  transport.intercept = () => Promise.reject(new RefusedError('tenant acme is unknown', 403));
  const { agent } = startAgent(directory, { transport });
  await until('all is refused', () => agent.status().lost[0]?.records === 3);
  transport.intercept = async () => ({ rejected: 1, reason: 'record 1 is too old' });
  appendFileSync(path, numberedLines(4, 4));
  await until('the rejection is seen', () => agent.counters().recordsRejected === 1);
  transport.intercept = undefined;
  appendFileSync(path, numberedLines(5, 6));
  await agent.stop(drain);
  expect(agent.status().lost).toEqual([
    { reason: 'refused', path, records: 3, bytes: 21 },
    { reason: 'rejected', path: '', records: 1, bytes: 0 },
  ]);
  expect(agent.counters()).toMatchObject({ recordsDelivered: 2, recordsRejected: 1 });
  expect(transport.bodies()).toEqual(numberedBodies(4, 6));
});

test('a transport that fails otherwise is a problem, and the batch is tried again', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  const transport = new RecordingTransport();
  transport.intercept = () => Promise.reject(new Error('broken pipe'));
  const { agent } = startAgent(directory, { transport });
  await until('the problem is seen', () => agent.status().problems.length === 1);
  expect(agent.status().problems[0].message).toContain('broken pipe');
  transport.intercept = undefined;
  await until('the lines land', () => transport.bodies().length === 3);
  await until('the problem is over', () => agent.status().problems.length === 0);
});

test('reading from the end skips what is there at the first start only', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, numberedLines(1, 5) + 'line');
  const first = startAgent(directory, { readFrom: 'end' });
  await until('the file is followed', () => first.agent.status().files.length === 1);
  appendFileSync(path, ` 6\n${numberedLines(7, 9)}`);
  writeFileSync(join(directory, 'b.log'), numberedLines(1, 2, 'b'));
  await until('the new lines land', () => first.transport.bodies().length === 6);
  await first.agent.stop(drain);
  writeFileSync(join(directory, 'c.log'), numberedLines(1, 2, 'c'));
  const next = startAgent(directory, { readFrom: 'end' });
  await next.agent.stop(drain);
  expect(first.transport.bodies().sort()).toEqual(
    [...numberedBodies(1, 2, 'b'), ...numberedBodies(6, 9)].sort(),
  );
  expect(next.transport.bodies()).toEqual(numberedBodies(1, 2, 'c'));
});

test('the last lines of a stack trace that is still being written stay with it', async () => {
  const directory = temporaryDirectory();
  const path = join(directory, 'a.log');
  writeFileSync(path, 'ready\nError: nope\n');
  const { agent, transport } = startAgent(directory, { joinWaitMs: 1000 });
  await until('the first record lands', () => transport.bodies().length === 1);
  appendFileSync(path, '    at buy (shop.js:1:2)\n');
  await until('the trace lands', () => transport.bodies().length === 2);
  await agent.stop(drain);
  expect(transport.bodies()).toEqual(['ready', 'Error: nope\n    at buy (shop.js:1:2)']);
});

test('a path that cannot be followed is one problem that says what to do, and the others go on', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  // A link in a circle cannot be opened even by root, unlike a file without permissions.
  symlinkSync(join(directory, 'loop.log'), join(directory, 'loop.log'));
  const { agent, transport } = startAgent(directory);
  await until('the lines land', () => transport.bodies().length === 3);
  expect(agent.status().problems).toEqual([
    {
      path: join(directory, 'loop.log'),
      message: expect.stringContaining('cannot look at the log file: ELOOP'),
    },
  ]);
  rmSync(join(directory, 'loop.log'));
  await until('the problem is over', () => agent.status().problems.length === 0);
});

// Root may read everything. test/e2e/bad-sources.test.ts covers it for root, too: it starts the agent as nobody.
if (process.getuid?.() === 0) console.warn('SKIPPED: a file without permission: root may read every file');
test.skipIf(process.getuid?.() === 0)(
  'a file without permission says who must be let in, and is read once it can be',
  async () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'a.log');
    writeFileSync(path, numberedLines(1, 3));
    chmodSync(path, 0);
    const { agent, transport } = startAgent(directory);
    await until('the problem is seen', () => agent.status().problems.length === 1);
    expect(agent.status().problems[0].message).toContain('permission denied; run the agent as root');
    chmodSync(path, 0o644);
    await until('the lines land', () => transport.bodies().length === 3);
  },
);

test('a checkpoint that cannot be written stops sending, and sending goes on once it can', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  // A directory in the place of the temporary file: even root cannot write it.
  mkdirSync(join(directory, 'state', 'logs.json.tmp'), { recursive: true });
  const { agent, transport } = startAgent(directory);
  await until('the problem is seen', () => agent.counters().checkpointFailures > 0);
  expect(agent.status().problems[0].message).toMatch(/checkpoint|cannot be written/);
  expect(transport.sent).toEqual([]);
  rmSync(join(directory, 'state', 'logs.json.tmp'), { recursive: true });
  await until('the lines land', () => transport.bodies().length === 3);
});

test.each([
  {
    name: 'no JSON',
    text: '{"version":1,',
    expected: /checkpoint .*logs\.json is broken: it is not JSON; restore it/,
  },
  {
    name: 'a newer version',
    text: '{"version":9}',
    expected: /its version is 9 and this agent reads versions 1, 2 and 3/,
  },
  { name: 'a missing field', text: '{"version":1}', expected: /is broken: agentId: / },
])('a checkpoint with $name stops the start with what to do', ({ text, expected }) => {
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'state'));
  writeFileSync(join(directory, 'state', 'logs.json'), text);
  expect(() => startAgent(directory)).toThrow(expected);
  expect(() => startAgent(directory)).toThrow(ConfigError);
});

test.each([
  { options: { lanes: 0 }, expected: 'log agent option lanes is 0: give a whole number from 1 up' },
  { options: { globs: ['/var/log/'] }, expected: 'log glob "/var/log/" names no file' },
  { options: { globs: ['/var/log/[a.log'] }, expected: '"[" is not closed' },
])('a bad option is refused: $expected', ({ options, expected }) => {
  expect(() => startAgent(temporaryDirectory(), options)).toThrow(expected);
});

test('stopping does not wait longer than told, and leaves the rest for the next start', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a.log'), numberedLines(1, 3));
  const { agent, transport } = startAgent(directory);
  transport.intercept = never;
  await agent.stop({ drainMs: 50 });
  expect(transport.landed.size).toBe(0);
  expect(checkpointOf(directory).pending).toHaveLength(1);
  expect(existsSync(join(directory, 'state', 'logs.json.tmp'))).toBe(false);
  const next = startAgent(directory);
  await next.agent.stop(drain);
  expect(next.transport.bodies()).toEqual(numberedBodies(1, 3));
});
