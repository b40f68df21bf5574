/**
 * A collector in a process of its own that kills itself with SIGKILL around an insert of delta points: of a sum and of an
 * exponential histogram. It sends what it is
 * told in order, each until it is answered, and writes down what was answered.
 *
 *   node crashing-delta.ts '{"path":"data","answeredPath":"answered","requests":[...],"step":"after","table":"samples_head","at":2}'
 */
import { appendFileSync } from 'node:fs';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import type { Store } from '#store/store.ts';
import {
  type DeltaPoint,
  deltaExponentialMetric,
  deltaSumMetric,
  request,
} from '../support/delta-request.ts';

export interface CrashOrder {
  readonly path: string;
  /** One line per answered request: its number. */
  readonly answeredPath: string;
  readonly requests: readonly { readonly number: number; readonly points: readonly DeltaPoint[] }[];
  readonly step: 'before' | 'after' | 'never';
  /** Samples are inserted first: between the two, half of a request is stored. */
  readonly table: 'samples_head' | 'histograms_head';
  /** Which insert into that table it is. */
  readonly at: number;
}

const order = JSON.parse(process.argv[2]!) as CrashOrder;
const store = await openEmbeddedStore({ path: order.path });
await migrate(store);
let insertCount = 0;
const crashing: Store = {
  kind: 'embedded',
  exec: (sql, options) => store.exec(sql, options),
  rows: (sql, options) => store.rows(sql, options),
  stream: (sql, options) => store.stream(sql, options),
  ping: () => store.ping(),
  close: () => store.close(),
  async insert(block, token) {
    const isDue = block.table === order.table && ++insertCount === order.at;
    if (isDue && order.step === 'before') process.kill(process.pid, 'SIGKILL');
    await store.insert(block, token);
    if (isDue && order.step === 'after') process.kill(process.pid, 'SIGKILL');
  },
};
const pipeline = createPipeline({
  store: crashing,
  workers: 1,
  inflightBytesMax: 1024 * 1024,
  group: { rowsMax: 250_000, ageMsMax: 5 },
  retentionMs: 0,
  now: Date.now,
});
const send = createDirectSink(pipeline);
for (const { number, points } of order.requests) {
  // Each value is a sum's, and the observations of a histogram in the bucket up to 2.
  const bytes = request([
    deltaSumMetric('crashed', points),
    deltaExponentialMetric(
      'crashed.spread',
      points.map(({ value, ...point }) => ({ ...point, counts: [value] })),
    ),
  ]);
  await send({ signal: 'metrics', tenant: 'default', batchId: `n${number}`, key: 'k', bytes });
  appendFileSync(order.answeredPath, `${number}\n`, { flush: true });
}
await pipeline.close();
await store.close();
