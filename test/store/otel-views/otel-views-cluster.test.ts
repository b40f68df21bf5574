/**
 * Goal: the tools' statements give the same answers where the views stand over Distributed tables.
 * Method: the same cases over HTTP, and over real Distributed tables with one shard: see test/support/one-shard-cluster.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { migrate } from '#store/migrate.ts';
import { openServerStore } from '#store/server/server-store.ts';
import type { Store } from '#store/store.ts';
import { type ClickhouseHttp, startClickhouseHttp } from '#test/support/clickhouse-http.ts';
import { describeGrafana } from './grafana.case.ts';
import { describeHyperdx } from './hyperdx.case.ts';
import { ingestKnownTelemetry } from './known-telemetry.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-otel-views-cluster-'));
const cluster = 'main';
let gateway: ClickhouseHttp;
let store: Store;

beforeAll(async () => {
  gateway = await startClickhouseHttp(join(directory, 'data'), { cluster });
  store = await openServerStore({ url: gateway.url, cluster });
  await migrate(store, { cluster });
  await ingestKnownTelemetry(store, true);
});
afterAll(async () => {
  await store.close();
  await gateway.close();
  rmSync(directory, { recursive: true, force: true });
});

describeHyperdx(() => store);
describeGrafana(() => store);
