/**
 * Goal: a directory that did not change is not read again, and no change is missed.
 * Method: a real directory, a clock that is ahead of its times, and names that come, go and change.
 */
import { mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DirectoryListings } from '#agent/logs/tail/directory-listings.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

/** A clock by which nothing has happened for long. */
const later = (): number => Date.now() + 10_000;

const names = async (listings: DirectoryListings, directory: string): Promise<string[]> =>
  (await listings.list(directory)).map(({ name }) => name).sort();

test('a directory whose times stay is not read again, one that just changed is', async () => {
  const directory = temporaryDirectory();
  writeFileSync(join(directory, 'a'), '');
  const settled = new DirectoryListings(later);
  const entries = await settled.list(directory);
  expect(entries.map(({ name }) => name)).toEqual(['a']);
  // The very list that was made before: this is what saves the reading.
  expect(await settled.list(directory)).toBe(entries);
  writeFileSync(join(directory, 'b'), '');
  expect(await names(settled, directory)).toEqual(['a', 'b']);
  const fresh = new DirectoryListings();
  const first = await fresh.list(directory);
  expect(await fresh.list(directory)).not.toBe(first);
});

test('a name that comes while the time of the directory is set back is seen', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings(later);
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  await listings.list(directory);
  // As rsync --times, tar and cp --preserve leave it.
  writeFileSync(join(directory, 'a.log'), 'a\n');
  utimesSync(directory, 1_700_000_000, 1_700_000_000);
  expect(await names(listings, directory)).toEqual(['a.log']);
});

test('another directory of the same name and time is read', async () => {
  const parent = temporaryDirectory();
  const directory = join(parent, 'x');
  const listings = new DirectoryListings(later);
  for (const name of ['old', 'new']) {
    mkdirSync(directory);
    writeFileSync(join(directory, name), '');
    expect(await names(listings, directory)).toEqual([name]);
    renameSync(directory, join(parent, `${name}.gone`));
  }
});

test('what is not asked for in a look is forgotten', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings(later);
  listings.begin();
  const entries = await listings.list(directory);
  listings.begin();
  listings.begin();
  expect(await listings.list(directory)).not.toBe(entries);
});

test('identities are kept for files, and looked up for links', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings();
  for (const name of ['first', 'second']) writeFileSync(join(directory, name), '');
  symlinkSync(join(directory, 'first'), join(directory, 'link'));
  symlinkSync(join(directory, 'nowhere'), join(directory, 'broken'));
  mkdirSync(join(directory, 'sub'));
  const entries = new Map((await listings.list(directory)).map((entry) => [entry.name, entry]));
  const identify = (name: string): string | undefined => listings.identify(directory, entries.get(name)!);
  expect(identify('link')).toBe(identify('first'));
  expect(identify('first')).not.toBe(identify('second'));
  expect(identify('sub')).toBeUndefined();
  expect(identify('broken')).toBeUndefined();
  rmSync(join(directory, 'link'));
  symlinkSync(join(directory, 'second'), join(directory, 'link'));
  expect(identify('link')).toBe(identify('second'));
});

test('a directory that is gone rejects as the system does', async () => {
  await expect(new DirectoryListings().list('/nowhere/at/all')).rejects.toThrow('ENOENT');
});
