/**
 * Goal: a directory that did not change is not read again, and no change is missed.
 * Method: a real directory whose times are set, and names that come, go and change.
 */
import { mkdirSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DirectoryListings } from '#agent/logs/tail/directory-listings.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

/** Sets the directory's time back, as if nothing had happened for long. */
function age(directory: string): void {
  utimesSync(directory, new Date(1_700_000_000_000), new Date(1_700_000_000_000));
}

const names = async (listings: DirectoryListings, directory: string): Promise<string[]> =>
  (await listings.list(directory)).map(({ name }) => name).sort();

test('an old time is believed, a new one read, and one of just now is read again', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings();
  writeFileSync(join(directory, 'a'), '');
  age(directory);
  expect(await names(listings, directory)).toEqual(['a']);
  writeFileSync(join(directory, 'b'), '');
  age(directory);
  // The time says that nothing changed: this is what saves the reading.
  expect(await names(listings, directory)).toEqual(['a']);
  writeFileSync(join(directory, 'c'), '');
  expect(await names(listings, directory)).toEqual(['a', 'b', 'c']);
  const { atime, mtime } = statSync(directory);
  writeFileSync(join(directory, 'd'), '');
  utimesSync(directory, atime, mtime);
  expect(await names(listings, directory)).toEqual(['a', 'b', 'c', 'd']);
});

test('another directory of the same name and time is read', async () => {
  const parent = temporaryDirectory();
  const directory = join(parent, 'x');
  const listings = new DirectoryListings();
  for (const name of ['old', 'new']) {
    mkdirSync(directory);
    writeFileSync(join(directory, name), '');
    age(directory);
    expect(await names(listings, directory)).toEqual([name]);
    renameSync(directory, join(parent, `${name}.gone`));
  }
});

test('what is not asked for in a look is forgotten', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings();
  age(directory);
  listings.begin();
  await listings.list(directory);
  listings.begin();
  listings.begin();
  writeFileSync(join(directory, 'a'), '');
  age(directory);
  expect(await names(listings, directory)).toEqual(['a']);
});

test('identities are kept for files, and looked up for links', async () => {
  const directory = temporaryDirectory();
  const listings = new DirectoryListings();
  for (const name of ['first', 'second']) writeFileSync(join(directory, name), '');
  symlinkSync(join(directory, 'first'), join(directory, 'link'));
  symlinkSync(join(directory, 'nowhere'), join(directory, 'broken'));
  mkdirSync(join(directory, 'sub'));
  age(directory);
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
