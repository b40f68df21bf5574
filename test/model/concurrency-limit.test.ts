/**
 * Goal: never more calls than allowed, in order, and a call that fails gives its turn back.
 * Method: calls that end when the test says so.
 */
import { expect, test } from 'vitest';
import { ConcurrencyLimit } from '#model/concurrency-limit.ts';

test('calls run in order, two at a time, whether they fail or not', async () => {
  const limit = new ConcurrencyLimit(2);
  const started: number[] = [];
  const ends = Array.from({ length: 5 }, () => Promise.withResolvers<number>());
  const calls = ends.map(({ promise }, index) =>
    limit.run(() => {
      started.push(index);
      return promise;
    }),
  );
  await Promise.resolve();
  expect(started).toEqual([0, 1]);
  ends[1]!.reject(new Error('one'));
  await expect(calls[1]).rejects.toThrow('one');
  await expect.poll(() => started).toEqual([0, 1, 2]);
  // What comes now must not overtake those that wait.
  const late = limit.run(async () => void started.push(9));
  for (const index of [0, 2, 3, 4]) ends[index]!.resolve(index);
  expect(await Promise.all([calls[0], calls[2], calls[3], calls[4]])).toEqual([0, 2, 3, 4]);
  await late;
  expect(started).toEqual([0, 1, 2, 3, 4, 9]);
});

test('a call that throws at once gives its turn back', async () => {
  const limit = new ConcurrencyLimit(1);
  const failing = limit.run(() => {
    throw new Error('at once');
  });
  await expect(failing).rejects.toThrow('at once');
  expect(await limit.run(async () => 1)).toBe(1);
});

test('who gives up waiting loses its place, and nobody else theirs', async () => {
  const limit = new ConcurrencyLimit(1);
  const first = Promise.withResolvers<void>();
  const running = limit.run(() => first.promise);
  const leaving = new AbortController();
  const ran: string[] = [];
  const left = limit.run(async () => void ran.push('left'), leaving.signal);
  const stayed = limit.run(async () => void ran.push('stayed'));
  leaving.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  const late = limit.run(async () => void ran.push('late'), leaving.signal);
  await expect(late).rejects.toThrow('gone');
  first.resolve();
  await Promise.all([running, stayed]);
  expect(ran).toEqual(['stayed']);
  // Its turn has come: what fires later changes nothing.
  const turn = new AbortController();
  const done = limit.run(async () => {
    turn.abort(new Error('too late'));
    return 7;
  }, turn.signal);
  expect(await done).toBe(7);
});
