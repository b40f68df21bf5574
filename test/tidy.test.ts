/**
 * Goal: the house rules that matter hold in every commit.
 * Method: read the tree git would commit as text, and fail with the file and what to do.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root })
  .toString()
  .trim()
  .split('\n')
  .filter((path) => existsSync(join(root, path)));
const sources = files.filter((path) => path.endsWith('.ts'));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Who may import whom. `main.ts` and `role/` join the parts; tests may import everything. */
const layers: Readonly<Record<string, readonly string[]>> = {
  model: ['model'],
  wire: ['wire', 'model'],
  store: ['store', 'model'],
  agent: ['agent', 'wire', 'model'],
  collector: ['collector', 'wire', 'store', 'model'],
  query: ['query', 'store', 'model'],
  load: ['load', 'wire', 'model'],
  role: ['role', 'agent', 'collector', 'query', 'store', 'wire', 'model'],
};

function importsOf(path: string): string[] {
  const found: string[] = [];
  for (const match of read(path).matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    const target = match[1]!;
    if (target.startsWith('#')) found.push(target.slice(1));
    else if (target.startsWith('.')) found.push(relative(root, join(root, dirname(path), target)));
  }
  return found;
}

test('every import follows the layers', () => {
  const faults: string[] = [];
  for (const path of sources) {
    const allowed = layers[path.split('/')[0]!];
    if (allowed === undefined) continue;
    for (const target of importsOf(path)) {
      const layer = target.split('/')[0]!;
      if (!allowed.includes(layer))
        faults.push(`${path} imports ${target}: ${path.split('/')[0]} may import ${allowed.join(', ')}`);
    }
  }
  expect(faults).toEqual([]);
});

test('query engines know no SQL and PromQL and LogQL do not import each other', () => {
  const faults: string[] = [];
  for (const path of sources) {
    if (
      /^query\/(promql|logql|language)\//.test(path) &&
      /\b(SELECT|INSERT INTO)\b[\s\S]{0,200}\bFROM\b/.test(read(path))
    ) {
      faults.push(`${path} holds SQL: it belongs in query/sql`);
    }
    for (const target of importsOf(path)) {
      if (path.startsWith('query/promql/') && target.startsWith('query/logql/'))
        faults.push(`${path} imports ${target}`);
      if (path.startsWith('query/logql/') && target.startsWith('query/promql/'))
        faults.push(`${path} imports ${target}`);
      if (/^query\/(promql|logql|language)\//.test(path) && target.startsWith('store/'))
        faults.push(`${path} imports ${target}`);
    }
  }
  expect(faults).toEqual([]);
});

test('no source file is longer than 400 lines', () => {
  const long = sources
    .filter((path) => !path.startsWith('test/'))
    .map((path) => ({ path, lines: read(path).split('\n').length - 1 }))
    .filter(({ lines }) => lines > 400);
  expect(long).toEqual([]);
});

test('no file has a name that says nothing', () => {
  const banned = new Set([
    'utils',
    'util',
    'helpers',
    'helper',
    'common',
    'types',
    'constants',
    'index',
    'misc',
  ]);
  expect(sources.filter((path) => banned.has(path.split('/').at(-1)!.split('.')[0]!))).toEqual([]);
});

test('only main.ts reads the environment', () => {
  const readers = sources.filter(
    (path) =>
      !/^(test|bench)\//.test(path) &&
      path !== 'main.ts' && // libuv's own variable is a fact about the process, not an option of ours.
      /process\.env\b(?!\.UV_THREADPOOL_SIZE)/.test(read(path)),
  );
  expect(readers).toEqual([]);
});

test('every source file opens with a comment that says what it is', () => {
  const bare = sources.filter(
    (path) => !/^(#![^\n]*\n)?\/(\*\*|\/) /.test(read(path).replace('/**\n *', '/** ')),
  );
  expect(bare.filter((path) => !path.endsWith('.d.ts') && !path.endsWith('.config.ts'))).toEqual([]);
});

test('every path that ARCHITECTURE.md and CONTRIBUTING.md name exists', () => {
  const faults: string[] = [];
  for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md'].filter((path) =>
    existsSync(join(root, path)),
  )) {
    for (const match of read(document).matchAll(
      /`((?:model|wire|store|agent|collector|query|load|role|test|bench|deploy|docs|dashboards)\/[A-Za-z0-9_./-]*)`/g,
    )) {
      if (!existsSync(join(root, match[1]!))) faults.push(`${document} names ${match[1]}`);
    }
  }
  expect(faults).toEqual([]);
});

test('npm ci can install: every dependency of a locked package is locked, for other platforms too', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<
      string,
      { dependencies?: object; optionalDependencies?: object; devDependencies?: object }
    >;
  };
  const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const missing = Object.entries(packages).flatMap(
    ([path, { dependencies, optionalDependencies, devDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies, ...devDependencies })
        .filter((name) => !locked.has(name))
        .map((name) => `${path || 'package.json'} needs ${name}`),
  );
  expect(missing).toEqual([]);
});
