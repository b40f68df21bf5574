/**
 * Goal: nobody holds a key that another one holds, everybody gets theirs, and who came first goes first.
 * Method: named examples, then random holders that release in any order, against a set of held keys.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { StripeLock } from '#collector/stripe-lock.ts';

/** Lets all promises that can go on go on. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function watch(lock: StripeLock) {
  const admitted: string[] = [];
  const releases = new Map<string, () => void>();
  return {
    admitted,
    acquire(name: string, keys: number[]): void {
      void lock.acquire(keys).then((release) => {
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
  const { admitted, acquire, release } = watch(new StripeLock());
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

test('random holders never share a key, and all of them come to hold theirs', async () => {
  const holders = fc.array(fc.array(fc.integer({ min: -3, max: 3 }), { minLength: 1, maxLength: 4 }), {
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(holders, fc.infiniteStream(fc.nat()), async (all, choices) => {
      const { admitted, acquire, release } = watch(new StripeLock());
      for (const [i, keys] of all.entries()) acquire(String(i), keys);
      const released = new Set<string>();
      while (released.size < all.length) {
        await settled();
        const holding = admitted.filter((name) => !released.has(name));
        const held = holding.flatMap((name) => [...new Set(all[Number(name)])]);
        expect(new Set(held).size).toBe(held.length);
        expect(holding.length).toBeGreaterThan(0);
        const name = holding[choices.next().value! % holding.length]!;
        released.add(name);
        await release(name);
      }
    }),
    { seed: 7, numRuns: 100 },
  );
});
