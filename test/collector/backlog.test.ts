/**
 * Goal: whoever asks for room waits exactly while too much waits, and no longer than anyone is interested.
 * Method: the backlog alone.
 */
import { expect, test } from 'vitest';
import { Backlog } from '#collector/backlog.ts';

async function isSettled(promise: Promise<void>): Promise<boolean> {
  const pending = Symbol();
  await new Promise((resolve) => setImmediate(resolve));
  return (await Promise.race([promise.then(() => true), Promise.resolve(pending)])) !== pending;
}

test('there is room until the bound is reached, and again below it', async () => {
  const { signal } = new AbortController();
  const backlog = new Backlog(100);
  backlog.add(99);
  await backlog.whenRoom(signal);
  backlog.add(1);
  const first = backlog.whenRoom(signal);
  const second = backlog.whenRoom(signal);
  backlog.add(50);
  backlog.remove(50);
  expect(await isSettled(first)).toBe(false);
  backlog.remove(1);
  await Promise.all([first, second]);
});

test('whoever is woken when there is no room any more goes on waiting', async () => {
  const { signal } = new AbortController();
  const backlog = new Backlog(100);
  backlog.add(100);
  const waiting = backlog.whenRoom(signal);
  backlog.remove(100);
  backlog.add(100);
  expect(await isSettled(waiting)).toBe(false);
  backlog.remove(100);
  await waiting;
});

test('nobody waits for room who is gone', async () => {
  const backlog = new Backlog(100);
  backlog.add(100);
  const leaving = new AbortController();
  const waiting = backlog.whenRoom(leaving.signal);
  leaving.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  await expect(backlog.whenRoom(leaving.signal)).rejects.toThrow('gone');
  backlog.remove(100);
  await expect(backlog.whenRoom(leaving.signal)).rejects.toThrow('gone');
});
