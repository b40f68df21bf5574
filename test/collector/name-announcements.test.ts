/**
 * Goal: samples are never said to be stored while the series that name them may be missing.
 * Method: inserts that the test settles by hand, in the orders that a failing store produces.
 */
import { expect, test } from 'vitest';
import { NameAnnouncements } from '#collector/name-announcements.ts';
import { UnavailableError } from '#model/errors.ts';
import type { NativeBlock } from '#store/store.ts';

const block = (table: NativeBlock['table'], ...bytes: number[]): NativeBlock => ({
  table,
  parts: [Uint8Array.from(bytes)],
  rowCount: 1,
});
const result = (...blocks: NativeBlock[]): NativeBlock[] => blocks;
const noInsert = (): Promise<void> => Promise.reject(new Error('nothing was to be inserted'));
const down = new UnavailableError('down');

test('samples wait for the series of an earlier run, and fail with it', async () => {
  const names = new NameAnnouncements();
  const insert = Promise.withResolvers<void>();
  const earlier = names.store(
    result(block('series', 1), block('samples_head')),
    'a',
    0,
    () => insert.promise,
  );
  const later = names.store(result(block('samples_head')), 'b', 0, noInsert);
  insert.reject(down);
  await expect(earlier).rejects.toBe(down);
  await expect(later).rejects.toBe(down);
});

test('samples that were transcoded before an announcement failed, and came after, are not stored', async () => {
  const names = new NameAnnouncements();
  const before = names.epoch;
  await expect(names.store(result(block('series', 1)), 'a', before, () => Promise.reject(down))).rejects.toBe(
    down,
  );
  await expect(names.store(result(block('samples_head')), 'b', before, noInsert)).rejects.toThrow(
    UnavailableError,
  );
  await names.store(result(block('samples_head')), 'b', names.epoch, noInsert);
});

test('logs do not wait for series', async () => {
  const names = new NameAnnouncements();
  void names.store(result(block('series', 1)), 'a', 0, () => new Promise(() => undefined));
  await names.store(result(block('logs')), 'b', 0, noInsert);
});

test('the token of names says what is in the block, the rest of it is the same in a repeat', async () => {
  const tokens: string[] = [];
  const insert = async (_: NativeBlock, token: string): Promise<void> => void tokens.push(token);
  const names = new NameAnnouncements();
  for (const bytes of [[1], [1], [1, 2]])
    await names.store(result(block('series', ...bytes)), 'run', 0, insert);
  expect(tokens[0]).toMatch(/^run\/series\/.{43}$/);
  expect(tokens[1]).toBe(tokens[0]);
  expect(tokens[2]).not.toBe(tokens[0]);
});
