/**
 * Goal: retries come soon at first, never more often than asked, never later than the cap, and can be called off.
 * Method: the pauses for fixed random numbers, as text.
 */
import { describe, expect, test } from 'vitest';
import { abortable, Backoff, pause } from '#wire/backoff.ts';

const pauses = (backoff: Backoff, count: number): number[] =>
  Array.from({ length: count }, () => backoff.nextMs());

test.each([
  { random: 0, ms: [50, 100, 200, 400, 500, 500] },
  { random: 1, ms: [100, 200, 400, 800, 1000, 1000] },
])('pauses double up to the cap, half of each by chance ($random)', ({ random, ms }) => {
  expect(pauses(new Backoff({ firstMs: 100, maxMs: 1000, random: () => random }), 6)).toEqual(ms);
});

test('after a success it starts small again', () => {
  const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 1 });
  pauses(backoff, 3);
  backoff.reset();
  expect(backoff.nextMs()).toBe(100);
});

test('what the other side asks for is a lower bound', () => {
  expect(new Backoff({ firstMs: 100, maxMs: 1000 }).nextMs(5000)).toBe(5000);
});

describe('an abort', () => {
  const reason = new Error('enough');

  test('ends a pause with its reason', async () => {
    const abort = new AbortController();
    const waiting = pause(60_000, abort.signal);
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  test('ends the wait for a promise that never settles, and one that fails later is ignored', async () => {
    const abort = new AbortController();
    const late = Promise.withResolvers<void>();
    const waits = [
      abortable(new Promise(() => undefined), abort.signal),
      abortable(late.promise, abort.signal),
    ];
    abort.abort(reason);
    for (const wait of waits) await expect(wait).rejects.toBe(reason);
    late.reject(new Error('too late'));
  });

  test('that came before is noticed', async () => {
    await expect(abortable(new Promise(() => undefined), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
});
