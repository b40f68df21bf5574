/**
 * Goal: tools made for the tables of the OpenTelemetry Collector's ClickHouse exporter read ours, unchanged.
 * Method: known records through the real pipeline into the embedded engine, and each tool's own statements.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import { describeGrafana } from './grafana.case.ts';
import { describeHyperdx } from './hyperdx.case.ts';
import { ingestKnownTelemetry } from './known-telemetry.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-otel-views-'));
let store: Store;

beforeAll(async () => {
  store = await openEmbeddedStore({ path: directory });
  await migrate(store);
  await ingestKnownTelemetry(store, false);
});
afterAll(async () => {
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

describeHyperdx(() => store);
describeGrafana(() => store);
