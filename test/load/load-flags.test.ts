/**
 * Goal: the command, its documentation and its parser know the same flags.
 * Method: read them from the source of the command and from the documentation's text.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const read = (path: string): string => readFileSync(join(import.meta.dirname, '../..', path), 'utf8');
const names = (text: string, pattern: RegExp): string[] =>
  [...new Set([...text.matchAll(pattern)].map(([, name]) => name!))].sort();

const command = /function addLoadCommand[\s\S]*?\n}\n/.exec(read('main.ts'))![0];
const flags = names(command, /\.option\('(--[a-z-]+)/g);

test('the documentation names every flag, and no other', () => {
  expect(names(read('docs/load.md'), /(--[a-z][a-z-]+)/g)).toEqual(flags);
});

test('the parser knows every flag, and no other', () => {
  const fields = /interface LoadFlags \{([\s\S]*?)\n\}/.exec(read('load/load-plan.ts'))![1]!;
  const known = names(fields, /readonly (\w+)\?/g).map(
    (name) => `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`,
  );
  expect(known.sort()).toEqual(flags);
});
