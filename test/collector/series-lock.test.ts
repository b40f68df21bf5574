/**
 * Goal: nobody holds a key that another one holds, everybody gets theirs, who came first goes first, and who shares no
 * key with anybody waits for nobody.
 * Method: named examples, then random holders that come and release in any order, against one queue for each key.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SeriesLock } from '#collector/series-lock.ts';
import { Lcg } from '../support/lcg.ts';

/** Lets all promises that can go on go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watch(lock = new SeriesLock()) {
  const admitted: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    lock,
    admitted,
    acquire(name: string, keys: Iterable<number>): void {
      void lock.acquire(Float64Array.from(keys)).then((release) => {
        admitted.push(name);
        releases.set(name, release);
      });
    },
    async release(name: string): Promise<void> {
      releases.get(name)!();
      await settled();
    },
  };
}

test('a later one waits for its keys, and does not overtake who waits for them', async () => {
  const { admitted, acquire, release } = watch();
  acquire('a', [1, 2]);
  acquire('b', [2, 3]);
  acquire('c', [3]);
  acquire('d', [4, -7]);
  await settled();
  expect(admitted).toEqual(['a', 'd']);
  await release('d');
  await release('a');
  expect(admitted).toEqual(['a', 'd', 'b']);
  await release('b');
  expect(admitted).toEqual(['a', 'd', 'b', 'c']);
});

test('a hundred requests of a hundred series each are admitted at once', async () => {
  const { admitted, acquire } = watch();
  const random = new Lcg(11);
  const key = () => random.int(2 ** 21) * 2 ** 32 + random.int(2 ** 32);
  for (let n = 0; n < 100; n++) acquire(String(n), Array.from({ length: 100 }, key));
  await settled();
  expect(admitted).toHaveLength(100);
});

test('who wants many keys gets them, however many come later for one of them', async () => {
  const { admitted, acquire, release } = watch();
  acquire('first', [1]);
  acquire('wide', [1, 2, 3]);
  for (let n = 0; n < 20; n++) acquire(`late ${n}`, [2 + (n % 2)]);
  await settled();
  expect(admitted).toEqual(['first']);
  await release('first');
  expect(admitted).toEqual(['first', 'wide']);
});

test('a second call of the release admits nobody, and takes nothing from who came next', async () => {
  const { lock, admitted, acquire, release } = watch();
  acquire('a', [5]);
  acquire('b', [6]);
  acquire('both', [5, 6, 5]);
  await settled();
  await release('a');
  await release('a');
  expect(admitted).toEqual(['a', 'b']);
  await release('b');
  await release('a');
  expect(admitted).toEqual(['a', 'b', 'both']);
  expect(lock.keyCount).toBe(2);
  await release('both');
  expect(lock.keyCount).toBe(0);
});

interface Step {
  readonly keys: number[];
  /** Who of the holders releases before the next one comes, by its place among them; none where there is none. */
  readonly leaves: number;
}

const steps = fc.array(
  fc.record<Step>({
    keys: fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 5 }),
    leaves: fc.integer({ min: 0, max: 20 }),
  }),
  { maxLength: 40 },
);

test('random holders are those who are first in all their queues, and in the end nothing is left', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (all) => {
      const { lock, admitted, acquire, release } = watch();
      const queues = Array.from({ length: 10 }, (): number[] => []);
      const released = new Set<number>();
      const here = new Set<number>();
      const holders = () => admitted.map(Number).filter((n) => !released.has(n));
      const expectFirst = (): void => {
        const first = [...here].filter((n) => all[n]!.keys.every((key) => queues[key]![0] === n));
        expect(holders().sort((a, b) => a - b)).toEqual(first);
        expect(lock.keyCount).toBe(queues.filter((queue) => queue.length > 0).length);
      };
      const leave = async (n: number): Promise<void> => {
        released.add(n);
        here.delete(n);
        for (const key of new Set(all[n]!.keys)) expect(queues[key]!.shift()).toBe(n);
        await release(String(n));
        expectFirst();
      };
      for (const [n, { keys, leaves }] of all.entries()) {
        here.add(n);
        for (const key of new Set(keys)) queues[key]!.push(n);
        acquire(String(n), keys);
        await settled();
        expectFirst();
        const holder = holders()[leaves];
        if (holder !== undefined) await leave(holder);
      }
      while (here.size > 0) await leave(holders().at(-1)!);
      expect(lock.keyCount).toBe(0);
    }),
    { seed: 7, numRuns: 200 },
  );
});
