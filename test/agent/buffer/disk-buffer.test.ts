/**
 * Goal: what the buffer has taken reaches the next station in order, once, whatever happened to the files in between.
 * Method: a real directory before a station that can wait and refuse; files are cut and spoilt between two openings.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import { eventually } from '#test/support/eventually.ts';
import { mountSmallDisk } from '#test/support/small-disk.ts';
import { envelope, openBuffer, Station, temporaryPath } from './buffer-run.ts';

const files = (path: string, signal = 'logs'): string[] => readdirSync(join(path, signal)).sort();

test('envelopes go through, and nothing is left on disk', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  const buffer = openBuffer(path, station, { sync: 'always', drainMs: 10_000 });
  for (let i = 0; i < 20; i++)
    expect(await buffer.send(envelope(`b${i}`))).toEqual({ rejected: 0, reason: '' });
  await buffer.send(envelope('m', 'm', 'k', 'metrics'));
  await buffer.close();
  expect(station.taken.filter((text) => text.startsWith('b'))).toEqual(
    Array.from({ length: 20 }, (_, i) => `b${i}=b${i}`),
  );
  expect(station.taken).toContain('m=m');
  expect([buffer.counts.taken, buffer.counts.sent]).toEqual([21, 21]);
  expect([...files(path), ...files(path, 'metrics')]).toEqual([]);
  expect(buffer.bytes()).toBe(0);
});

test('what waits is sent by the next process, with everything that it was', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  station.isShut = true;
  const first = openBuffer(path, station);
  for (let i = 0; i < 200; i++) await first.send(envelope(`b${i}`, `text ${i}`, `key ${i % 3}`));
  await first.close();
  const received: object[] = [];
  const next = new Station();
  next.intercept = async (sent) => {
    received.push({ ...sent, bytes: Buffer.from(sent.bytes) });
    return undefined;
  };
  const second = openBuffer(path, next, { drainMs: 10_000 });
  await second.close();
  expect(received).toEqual(
    Array.from({ length: 200 }, (_, i) => envelope(`b${i}`, `text ${i}`, `key ${i % 3}`)),
  );
  expect(files(path)).toEqual([]);
});

test('what was taken before a restart is not sent again', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  const first = openBuffer(path, station);
  for (let i = 0; i < 10; i++) await first.send(envelope(`b${i}`));
  await eventually(() => station.taken.length === 10);
  station.isShut = true;
  await first.send(envelope('last'));
  await first.close();
  const next = new Station();
  await openBuffer(path, next, { drainMs: 10_000 }).close();
  expect(next.taken).toEqual(['last=last']);
});

test('order is kept for each key, and several keys are sent together', async () => {
  const station = new Station();
  const buffer = openBuffer(temporaryPath(), station, { drainMs: 10_000 });
  let toggle = 0;
  station.intercept = async () => {
    await new Promise((resolve) => setTimeout(resolve, toggle++ % 3));
    return undefined;
  };
  await Promise.all(
    Array.from({ length: 300 }, (_, i) => buffer.send(envelope(`${i % 5}-${i}`, '', `key ${i % 5}`))),
  );
  await buffer.close();
  for (let key = 0; key < 5; key++) {
    const numbers = station.taken
      .filter((text) => text.startsWith(`${key}-`))
      .map((text) => Number.parseInt(text.slice(2), 10));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    expect(numbers.length).toBe(60);
  }
  expect(station.inFlightMost).toBeGreaterThan(1);
  expect(station.inFlightMost).toBeLessThanOrEqual(5);
});

test('one signal that is not taken does not hold up another', async () => {
  const station = new Station();
  const buffer = openBuffer(temporaryPath(), station);
  const shut = Promise.withResolvers<undefined>();
  station.intercept = ({ signal }) => (signal === 'logs' ? shut.promise : Promise.resolve(undefined));
  await buffer.send(envelope('a'));
  await buffer.send(envelope('b', 'b', 'k', 'traces'));
  await eventually(() => station.taken.includes('b=b'));
  shut.resolve(undefined);
  await eventually(() => station.taken.includes('a=a'));
  await buffer.close();
});

test('what is refused for good is counted, and what follows is sent', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  station.intercept = async ({ batchId }) => {
    if (batchId === 'poison') throw new RefusedError('no request of ours');
    return batchId === 'partly' ? { rejected: 3, reason: 'too old' } : undefined;
  };
  const buffer = openBuffer(path, station, { drainMs: 10_000 });
  for (const id of ['poison', 'partly', 'good']) await buffer.send(envelope(id));
  await buffer.close();
  expect(station.taken).toEqual(['partly=partly', 'good=good']);
  expect([...buffer.counts.lost]).toEqual([['logs refused', 1]]);
  expect(buffer.counts.rejected).toBe(3);
  expect(buffer.warnings.join()).toContain('no request of ours');
  expect(files(path)).toEqual([]);
});

test('over its size the buffer drops its oldest file, and counts what was in it', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  station.isShut = true;
  const bytesMax = 1024 * 1024;
  const buffer = openBuffer(path, station, { bytesMax });
  const text = 'x'.repeat(20_000);
  for (let i = 0; i < 200; i++) {
    await buffer.send(envelope(`b${i}`, `${i} ${text}`, `k${i}`, i % 2 === 0 ? 'logs' : 'traces'));
    expect(buffer.bytes()).toBeLessThanOrEqual(bytesMax);
  }
  station.isShut = false;
  const lost = (): number => [...buffer.counts.lost.values()].reduce((a, b) => a + b, 0);
  await eventually(() => station.taken.length + lost() === 200);
  expect(lost()).toBeGreaterThan(100);
  expect([...buffer.counts.lost.keys()].toSorted()).toEqual(['logs size', 'traces size']);
  for (const remainder of [0, 1]) {
    const kept = station.taken
      .map((taken) => Number.parseInt(taken.slice(1), 10))
      .filter((number) => number % 2 === remainder);
    // The newest, without a gap.
    expect(kept.toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: kept.length }, (_, i) => 198 + remainder - 2 * (kept.length - 1 - i)),
    );
  }
  await buffer.close();
});

test('what is too old is dropped, whether its file is read or not', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  let nowMs = 1_800_000_000_000;
  const options = { now: () => nowMs, ageMsMax: 1000, ageCheckMs: 5 };
  station.isShut = true;
  const buffer = openBuffer(path, station, options);
  await buffer.send(envelope('old'));
  await buffer.send(envelope('older', 'x', 'k', 'traces'));
  nowMs += 2000;
  await eventually(() => buffer.counts.lost.size === 2);
  expect([...buffer.counts.lost].toSorted()).toEqual([
    ['logs age', 1],
    ['traces age', 1],
  ]);
  station.isShut = false;
  await buffer.send(envelope('new'));
  await eventually(() => station.taken.length === 1);
  expect(station.taken).toEqual(['new=new']);
  await buffer.close();
});

test('one that would fill half of the buffer goes past it', async () => {
  const [path, station] = [temporaryPath(), new Station()];
  const buffer = openBuffer(path, station, { bytesMax: 1024 * 1024 });
  await buffer.send(envelope('big', Buffer.alloc(600_000)));
  expect(station.taken.length).toBe(1);
  expect(buffer.counts.taken).toBe(0);
  await buffer.close();
});

/** Ten records that wait, as the bytes of their file. */
async function waitingFile(): Promise<{ name: string; bytes: Buffer }> {
  const [path, station] = [temporaryPath(), new Station()];
  station.isShut = true;
  const buffer = openBuffer(path, station);
  for (let i = 0; i < 10; i++) await buffer.send(envelope(`b${i}`, `text ${i}`, `k${i}`));
  await buffer.close();
  const name = files(path).find((file) => file.endsWith('.segment'))!;
  return { name, bytes: readFileSync(join(path, 'logs', name)) };
}

async function reopen(name: string, bytes: Uint8Array) {
  const path = temporaryPath();
  await openBuffer(path, new Station()).close();
  writeFileSync(join(path, 'logs', name), bytes);
  const station = new Station();
  const buffer = openBuffer(path, station, { drainMs: 10_000 });
  await buffer.send(envelope('after'));
  await buffer.close();
  expect(files(path)).toEqual([]);
  return { taken: station.taken.filter((text) => text !== 'after=after'), buffer, station };
}

test('a file that ends anywhere gives all records before its end', async () => {
  const { name, bytes } = await waitingFile();
  const all = Array.from({ length: 10 }, (_, i) => `b${i}=text ${i}`);
  const recordBytes = (bytes.length - 8) / 10;
  for (let length = 0; length <= bytes.length; length++) {
    const { taken, buffer, station } = await reopen(name, bytes.subarray(0, length));
    const whole = Math.max(0, Math.floor((length - 8) / recordBytes));
    expect(taken).toEqual(all.slice(0, whole));
    expect(station.taken).toContain('after=after');
    expect([...buffer.counts.lost]).toEqual([]);
    expect(buffer.counts.tornBytes).toBe(length < 8 ? length : (length - 8) % recordBytes);
  }
});

test('spoilt bytes cost the record that they are in, wherever they are', async () => {
  const { name, bytes } = await waitingFile();
  const recordBytes = (bytes.length - 8) / 10;
  for (let at = 0; at < bytes.length - recordBytes; at += 7) {
    const spoilt = Buffer.from(bytes);
    spoilt[at]! ^= 0x40;
    const { taken, buffer } = await reopen(name, spoilt);
    const hit = at < 8 ? -1 : Math.floor((at - 8) / recordBytes);
    expect(taken).toEqual(
      Array.from({ length: 10 }, (_, i) => `b${i}=text ${i}`).filter((_, i) => i !== hit),
    );
    expect([...buffer.counts.lost]).toEqual([['logs corrupt', 1]]);
  }
});

test('what looks like a record within pushed bytes is never taken for one', async () => {
  const { name, bytes } = await waitingFile();
  const [path, station] = [temporaryPath(), new Station()];
  station.isShut = true;
  const first = openBuffer(path, station);
  // A whole file of another buffer, as somebody who knows the format would push it.
  await first.send(envelope('outer', bytes));
  await first.close();
  const own = files(path).find((file) => file.endsWith('.segment'))!;
  expect(own).not.toBe(name);
  const spoilt = readFileSync(join(path, 'logs', own));
  // The outer record's head: what follows is searched for records.
  spoilt[9]! ^= 1;
  writeFileSync(join(path, 'logs', own), spoilt);
  const next = new Station();
  const second = openBuffer(path, next, { drainMs: 10_000 });
  await second.close();
  expect(next.taken).toEqual([]);
  expect([...second.counts.lost]).toEqual([['logs corrupt', 1]]);
});

test('a full disk makes senders wait, and says so; afterwards all is sent', async () => {
  const disk = mountSmallDisk(2);
  if (disk === undefined) return;
  try {
    const path = join(disk.path, 'buffer');
    const station = new Station();
    station.isShut = true;
    const buffer = openBuffer(path, station, { sync: 'always' });
    await buffer.send(envelope('first', 'x'.repeat(1000)));
    disk.fill('ballast');
    const big = 'y'.repeat(50_000);
    const second = buffer.send(envelope('second', big));
    await eventually(() => buffer.state() !== 'ok');
    expect(buffer.state()).toMatch(/^disk buffer in .*: ENOSPC/);
    const gone = new AbortController();
    const third = buffer.send(envelope('third', big), gone.signal);
    gone.abort(new Error('nobody waits'));
    await expect(third).rejects.toThrow('nobody waits');
    disk.remove('ballast');
    await second;
    expect(buffer.state()).toBe('ok');
    station.isShut = false;
    await eventually(() => station.taken.length === 2);
    expect(station.taken.map((text) => text.slice(0, 6))).toEqual(['first=', 'second']);
    await buffer.close();
  } finally {
    disk.unmount();
  }
});

test('a directory that cannot be made is an error that names the option', async () => {
  const path = temporaryPath();
  writeFileSync(join(path, 'file'), '');
  expect(() => openBuffer(join(path, 'file'), new Station())).toThrow('agent.buffer.path: cannot make');
});

test('whatever is sent, restarted and refused: each batch is taken or counted, in order for its key', async () => {
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ kind: fc.constant('send' as const), key: fc.nat(2), size: fc.nat(3000) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constantFrom('restart' as const, 'shut' as const, 'open' as const) }),
    },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const [path, station] = [temporaryPath(), new Station()];
      let buffer = openBuffer(path, station);
      const sent: string[][] = [[], [], []];
      let number = 0;
      for (const action of steps) {
        if (action.kind === 'shut') station.isShut = true;
        else if (action.kind === 'open') station.isShut = false;
        else if (action.kind === 'restart') {
          await buffer.close();
          buffer = openBuffer(path, station);
        } else if (action.kind === 'send') {
          const id = `${action.key}/${number++}`;
          await buffer.send(envelope(id, 'z'.repeat(action.size), `key ${action.key}`));
          sent[action.key]!.push(id);
        }
      }
      station.isShut = false;
      await buffer.close();
      await openBuffer(path, station, { drainMs: 10_000 }).close();
      const ids = station.taken.map((text) => text.split('=')[0]!);
      for (const [key, wanted] of sent.entries()) {
        const own = ids.filter((id) => id.startsWith(`${key}/`));
        // A batch that was taken as the process stopped may come again.
        expect([...new Set(own)]).toEqual(wanted);
      }
      expect(files(path)).toEqual([]);
    }),
    { numRuns: 40 },
  );
});
