/** A real embedded store in a directory of its own; one per test file, because a process has one engine. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';

export interface TestStore extends AsyncDisposable {
  readonly store: Store;
}

export async function openTestStore(): Promise<TestStore> {
  const path = await mkdtemp(join(tmpdir(), 'sonde-test-'));
  const store = await openEmbeddedStore({ path });
  await migrate(store);
  return {
    store,
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(path, { recursive: true, force: true });
    },
  };
}
