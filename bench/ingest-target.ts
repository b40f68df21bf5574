/**
 * The process under test: receivers, pipeline and embedded store as `sonde up` has them, without agent and queries.
 * See measured-process.ts for what it is told and answers.
 */
import { pino } from 'pino';
import { createDirectSink } from '#collector/direct-sink.ts';
import { createPipeline } from '#collector/pipeline.ts';
import { countBuffersWithHeap } from '#model/buffer-accounting.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { startReceivers } from '#wire/receive/receivers.ts';
import { measureWhenTold } from './measured-process.ts';

// As main.ts sets them.
process.env.UV_THREADPOOL_SIZE = '32';
process.env.JE_MALLOC_CONF ??= 'dirty_decay_ms:1000';
countBuffersWithHeap();

const [directory = '', blockRows = '250000'] = process.argv.slice(2);
const inflightBytesMax = 512 * 1024 * 1024;
const store = await openEmbeddedStore({ path: directory, diskFreeBytesMin: 0 });
await migrate(store);
const pipeline = createPipeline({
  store,
  workers: 1,
  inflightBytesMax,
  group: { rowsMax: Number(blockRows), ageMsMax: 1000 },
  retentionMs: 0,
  now: Date.now,
});
const receivers = await startReceivers({
  sink: createDirectSink(pipeline),
  host: '127.0.0.1',
  httpPort: 0,
  grpcPort: 0,
  bodyBytesMax: 64 * 1024 * 1024,
  inflightBytesMax,
  // A refusal for want of room is no news here: the senders count them.
  log: pino({ level: 'error' }),
  telemetry: { serveMetrics: (_request, response) => void response.end() },
  unready: () => [],
});
measureWhenTold(store, receivers.httpUrl);
