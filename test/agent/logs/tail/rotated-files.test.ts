/**
 * Goal: a search for rotated files is over only when every one of them was looked at.
 * Method: real files that are renamed while they are searched, as a second rotation does.
 */
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { findRotated } from '#agent/logs/tail/rotated-files.ts';
import { temporaryDirectory } from '../log-agent-run.ts';

test('a rotation during the search hides no file', async () => {
  const path = join(temporaryDirectory(), 'app.log');
  for (const name of [path, `${path}.1`, `${path}.2`]) writeFileSync(name, `${name}\n`);
  let isRotated = false;
  const isKnown = async () => {
    if (!isRotated) {
      renameSync(`${path}.2`, `${path}.3`);
      renameSync(`${path}.1`, `${path}.2`);
      renameSync(path, `${path}.1`);
    }
    isRotated = true;
    return true;
  };
  expect((await findRotated({ path, sinceMs: 0, isKnown })).isComplete).toBe(false);
  expect((await findRotated({ path, sinceMs: 0, isKnown })).isComplete).toBe(true);
});
