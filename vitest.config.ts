import { defineConfig } from 'vitest/config';

/** Code that computes and does no I/O: nine lines in ten must be run by tests. There is no number for the whole. */
const pureFolders = [
  'model/config',
  'wire/protobuf',
  'wire/otlp',
  'wire/remote-write',
  'wire/json',
  'wire/otlp-json',
  'wire/loki',
  'wire/zipkin',
  'wire/influx',
  'agent/logs/frame',
  'agent/logs/resource',
  'collector/transcode',
  'query/language',
  'query/logql',
  'query/promql',
  'query/rules/template',
  'query/traces',
  'store/native',
];
const gate = { lines: 90 };

// One fork per file: the embedded engine allows one data directory per process.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
    env: { UV_THREADPOOL_SIZE: '32' },
    coverage: {
      provider: 'v8',
      include: pureFolders.map((folder) => `${folder}/**/*.ts`),
      // Runs in threads that coverage does not see; all it does is call transcoder.ts.
      exclude: ['collector/transcode/worker.ts'],
      reporter: ['text-summary'],
      thresholds: Object.fromEntries(pureFolders.map((folder) => [`${folder}/**`, gate])),
    },
  },
});
