/**
 * Goal: globs find what a person expects, and say what could not be looked at.
 * Method: a tree of real files, and a table of globs and the files they name.
 */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { DirectoryListings } from '#agent/logs/tail/directory-listings.ts';
import { compileGlob, describeAccessError, expandGlob } from '#agent/logs/tail/file-glob.ts';
import { ConfigError } from '#model/errors.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

const files = [
  'a.log',
  'b.log',
  'b.log.1',
  'b.log.2.gz',
  'c.txt',
  '.hidden.log',
  'pods/x_y_z/web/0.log',
  'pods/x_y_z/web/1.log',
  'pods/x_y_z/db/0.log',
  'pods/.secret/web/0.log',
  'deep/1/2/3/z.log',
  '[odd].log',
];

function tree(): string {
  const directory = temporaryDirectory();
  for (const file of files) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), '');
  }
  symlinkSync(join(directory, 'pods'), join(directory, 'linked'));
  symlinkSync(directory, join(directory, 'deep', 'circle'));
  return directory;
}

test.each([
  { glob: '*.log', expected: ['[odd].log', 'a.log', 'b.log'] },
  { glob: 'a.log', expected: ['a.log'] },
  { glob: '?.log', expected: ['a.log', 'b.log'] },
  { glob: '[ac].*', expected: ['a.log', 'c.txt'] },
  { glob: '[!a].log', expected: ['b.log'] },
  { glob: 'b.log*', expected: ['b.log', 'b.log.1'] },
  { glob: '{a,c}.{log,txt}', expected: ['a.log', 'c.txt'] },
  { glob: '.*.log', expected: ['.hidden.log'] },
  {
    glob: 'pods/*/*/*.log',
    expected: ['pods/x_y_z/db/0.log', 'pods/x_y_z/web/0.log', 'pods/x_y_z/web/1.log'],
  },
  { glob: 'linked/*/web/0.log', expected: ['linked/x_y_z/web/0.log'] },
  { glob: 'deep/**/*.log', expected: ['deep/1/2/3/z.log'] },
  { glob: '*{b,c}*{.log,.txt}*', expected: ['b.log', 'b.log.1', 'c.txt'] },
  { glob: '**/**/**/3/*.log', expected: ['deep/1/2/3/z.log'] },
  { glob: 'nowhere/*/x.log', expected: [] },
  { glob: 'a.log/x.log', expected: [] },
])('$glob', async ({ glob, expected }) => {
  const directory = tree();
  const { found, problems } = await expandGlob(compileGlob(join(directory, glob)), new DirectoryListings());
  expect(found.map(({ path }) => path.slice(directory.length + 1))).toEqual(expected);
  expect(problems).toEqual([]);
});

test('no glob takes long for a name or a tree that is made for it', { timeout: 5000 }, async () => {
  const directory = temporaryDirectory();
  const deep = join(directory, ...Array.from({ length: 14 }, () => 'a'));
  mkdirSync(deep, { recursive: true });
  writeFileSync(join(directory, 'a'.repeat(250)), '');
  const globs = [
    `${'*a'.repeat(20)}b`,
    `${'{a,a}'.repeat(60)}b`,
    `${'**/'.repeat(14)}none`,
    `${'**/a/'.repeat(7)}**/none`,
  ];
  for (const glob of globs) {
    const { found } = await expandGlob(compileGlob(join(directory, glob)), new DirectoryListings());
    expect(found).toEqual([]);
  }
});

test('a directory that cannot be listed is a problem of the glob', async () => {
  const directory = temporaryDirectory();
  symlinkSync(join(directory, 'loop'), join(directory, 'loop'));
  const glob = compileGlob(join(directory, 'loop', '*.log'));
  const { found, problems } = await expandGlob(glob, new DirectoryListings());
  expect(found).toEqual([]);
  expect(problems).toEqual([
    { path: join(directory, 'loop'), message: expect.stringContaining('cannot list the directory: ELOOP') },
  ]);
});

test.each([
  ['', 'names no file'],
  ['/var/log/', 'names no file'],
  ['/var/**.log', '** must stand alone'],
  ['/var/[a', '"[" is not closed'],
  ['/var/{a,b', '"{" is not closed'],
  ['/var/[z-a].log', '"[z-a].log" is no pattern of names'],
])('the glob "%s" is refused: %s', (glob, message) => {
  expect(() => compileGlob(glob)).toThrow(ConfigError);
  expect(() => compileGlob(glob)).toThrow(message);
});

test.each([
  [
    'EACCES',
    'cannot open: permission denied; run the agent as root, or let its user read this path (group or ACL)',
  ],
  ['EMFILE', 'cannot open: too many open files; raise the open files limit (ulimit -n) of the agent'],
  ['EIO', 'cannot open: broken'],
])('%s says what to do', (code, expected) => {
  expect(describeAccessError('cannot open', Object.assign(new Error('broken'), { code }))).toBe(expected);
});
