/** One store for the tests of a file: ClickHouse's HTTP interface in front of the embedded engine, with all tables. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '#store/migrate.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { Store } from '#store/store.ts';
import { type ClickhouseHttp, startClickhouseHttp } from '#test/support/clickhouse-http.ts';

export interface FaultStore {
  readonly url: string;
  readonly http: ClickhouseHttp;
  /** Reaches the tables when collectors cannot. */
  readonly store: Store;
  close(): Promise<void>;
}

export async function openFaultStore(): Promise<FaultStore> {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-faults-'));
  const http = await startClickhouseHttp(directory);
  const store = await openServerStore({ url: http.url, database: 'default' });
  await migrate(store);
  return {
    url: http.url,
    http,
    store,
    async close() {
      await store.close();
      await http.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
