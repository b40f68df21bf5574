/**
 * Goal: a process that is killed between an insert and its answer loses nothing and doubles nothing, although the
 * repeated requests are gathered into other blocks than the first time.
 * Method: a child with the real pipeline and store kills itself before or after a random insert; what was not answered
 * is sent again, in another order, until all is. Then each record of all signals must be there once.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { Lcg } from '#test/support/lcg.ts';
import { recordsPerRequest } from './numbered-requests.ts';

const requestCount = 90;
const killsMax = 20;

/** Returns the requests that were answered, and whether the child was killed. */
async function life(directory: string, seed: number, killAt: number, ids: readonly string[]) {
  const path = join(import.meta.dirname, 'group-commit-child.ts');
  const child = spawn(process.execPath, [path, directory, String(seed), String(killAt), ...ids], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.once('close', (exitCode, exitSignal) => resolve([exitCode, exitSignal])),
  );
  const acked = [...output.matchAll(/^acked (\d+)$/gm)].map(([, id]) => id!);
  return { acked, wasKilled: signal === 'SIGKILL', code };
}

test('every record is there once after kills between insert and answer', { timeout: 180_000 }, async () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 1e6));
  console.log(`seed ${seed}`);
  const random = new Lcg(seed);
  const directory = mkdtempSync(join(tmpdir(), 'sonde-group-crash-'));
  let waiting = Array.from({ length: requestCount }, (_, index) => String(index));
  let kills = 0;
  for (let round = 0; waiting.length > 0; round++) {
    const killAt = kills < killsMax ? 2 + random.int(14) : 0;
    const { acked, wasKilled, code } = await life(directory, seed + round, killAt, waiting);
    if (wasKilled) kills++;
    else expect(code).toBe(0);
    waiting = waiting.filter((id) => !acked.includes(id));
  }
  expect(kills).toBeGreaterThan(3);

  const store = await openEmbeddedStore({ path: directory });
  const names = [
    'SELECT body AS name FROM logs',
    'SELECT name FROM spans',
    'SELECT metric AS name FROM samples_head',
  ];
  const found = new Map<string, number>();
  for (const sql of names) {
    const rows = await store.rows<{ name: string; n: string }>(
      `SELECT name, count() AS n FROM (${sql} WHERE tenant != '') GROUP BY name`,
    );
    for (const { name, n } of rows) found.set(name, Number(n));
  }
  await store.close();
  rmSync(directory, { recursive: true, force: true });
  const missing: string[] = [];
  for (let request = 0; request < requestCount; request++) {
    for (let record = 0; record < recordsPerRequest; record++) {
      if (!found.has(`${request}-${record}`)) missing.push(`${request}-${record}`);
    }
  }
  expect({ missing, twice: [...found].filter(([, count]) => count !== 1) }).toEqual({
    missing: [],
    twice: [],
  });
});
