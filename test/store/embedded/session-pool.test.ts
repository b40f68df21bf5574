/**
 * Goal: nobody waits for a session for ever.
 * Method: sessions that the engine refuses to open, and a real engine whose only session is taken.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import type { EngineSession } from '#store/embedded/engine-session.ts';
import { SessionPool } from '#store/embedded/session-pool.ts';

test('where a session cannot be opened, all who wait are answered', async () => {
  const session = { close() {} } as EngineSession;
  let openCount = 0;
  const pool = new SessionPool({
    name: 'test',
    sessionCountMax: 1,
    waiterCountMax: 10,
    open: async () => {
      if (++openCount === 2) throw new Error('no memory');
      return session;
    },
  });
  const lent = await pool.acquire();
  const first = expect(pool.acquire()).rejects.toThrow('no memory');
  const second = pool.acquire();
  pool.discard(lent);
  await first;
  expect(await second).toBe(session);
});

test('a call that gets no session until its deadline is told so', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-pool-'));
  const store = await openEmbeddedStore({ path: directory, querySessions: 1 });
  const abort = new AbortController();
  const long = store.rows('SELECT sleepEachRow(1) FROM numbers(30) SETTINGS max_block_size = 1', {
    abort: abort.signal,
  });
  const ended = expect(long).rejects.toThrow();
  await expect(store.rows('SELECT 1', { timeoutMs: 50 })).rejects.toMatchObject({
    name: 'StoreError',
    retryable: true,
    message: expect.stringContaining('50 ms'),
  });
  abort.abort();
  await ended;
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});
