/** The collector in a process: receivers and, where configured, the Kafka consumer, both into one pipeline. */

import { availableParallelism } from 'node:os';
import { transcoderOptions } from '#collector/collector-options.ts';
import { createDirectSink } from '#collector/direct-sink.ts';
import { startKafkaConsumer } from '#collector/kafka/consumer.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { durationMs } from '#model/config/option.ts';
import { errorMessage } from '#model/errors.ts';
import { compactClosed } from '#store/compaction/compactor.ts';
import { dropExpired } from '#store/retention.ts';
import { SearchIndexer } from '#store/search-indexes.ts';
import type { Store } from '#store/store.ts';
import type { EnvelopeSink } from '#wire/envelope.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';

export interface CollectorPart {
  readonly receivers: Receivers;
  readonly pipeline: Pipeline;
  readonly sink: EnvelopeSink;
  readonly banner: readonly string[];
  statusLine(): string;
  summary(): string;
}

/** Expired partitions are looked for this often; the first time soon after the start. */
const retentionIntervalMs = 600_000;
/** How often the load is looked at that decides when indexes are built. */
const searchIndexIntervalMs = 60_000;
/** Requests under way have this long to be stored when the process stops. */
const closeGraceMs = 10_000;

export async function startCollectorPart(
  context: RoleContext,
  store: Store,
  parts: Parts,
): Promise<CollectorPart> {
  const { config, log, telemetry } = context;
  const retentionMs = durationMs(config.store.retention);
  const pipeline = createPipeline({
    store,
    workers: config.collector.workers || Math.max(1, Math.floor(availableParallelism() / 4)),
    inflightBytesMax: config.receive.inflight_bytes_max,
    group: { rowsMax: config.collector.block_rows_max, ageMsMax: config.collector.block_age_ms_max },
    retentionMs,
    now: Date.now,
    transcoder: transcoderOptions(config.collector),
    deltaSeriesMax: config.collector['otlp.delta_series_max'],
  });
  parts.add('pipeline', () => pipeline.close());
  startRetention(context, store, retentionMs, parts);
  startSearchIndexing(context, store, parts);
  const sink = createDirectSink(pipeline.insertRequest);
  const receivers = await startReceivers({
    sink,
    host: config.receive.host,
    httpPort: config.receive.otlp_http_port,
    grpcPort: config.receive.otlp_grpc_port,
    bodyBytesMax: config.receive.body_bytes_max,
    inflightBytesMax: config.receive.inflight_bytes_max,
    log,
    telemetry,
    unready: () =>
      store.ping().then(
        () => [],
        (error: unknown) => [`the store does not answer: ${errorMessage(error)}`],
      ),
  });
  parts.add('receivers', () => receivers.close(closeGraceMs));
  const kafka = config.transport.kind === 'kafka' ? await startKafka(context, pipeline, parts) : undefined;
  // Last, so that it stops before the receivers drain: they have the store to themselves, and it goes on the next time.
  if (config.store['compaction.enabled']) startCompaction(context, store, parts);
  return {
    receivers,
    pipeline,
    sink,
    banner: [
      `  receives  OTLP/HTTP and remote write on ${receivers.httpUrl}, OTLP/gRPC on ${receivers.grpcAddress}`,
      ...(kafka === undefined
        ? []
        : [`  consumes  Kafka at ${config.transport['kafka.brokers'].join(', ')}`]),
    ],
    statusLine() {
      const { rowsStored, recordsRejected } = pipeline.status();
      return `stored ${rowsStored} rows  rejected ${recordsRejected}`;
    },
    summary() {
      const { rowsStored, recordsAccepted, recordsRejected } = pipeline.status();
      return `stored ${recordsAccepted} records in ${rowsStored} rows, rejected ${recordsRejected}`;
    },
  };
}

async function startKafka({ config, log }: RoleContext, pipeline: Pipeline, parts: Parts) {
  const transport = config.transport;
  const consumer = await startKafkaConsumer({
    brokers: transport['kafka.brokers'],
    groupId: transport['kafka.group_id'],
    topics: {
      logs: transport['kafka.topics.logs'],
      traces: transport['kafka.topics.traces'],
      metrics: transport['kafka.topics.metrics'],
      remote_write: transport['kafka.topics.remote_write'],
    },
    deadLetterTopic: transport['kafka.topics.dead_letters'],
    createTopics: transport['kafka.create_topics']
      ? {
          partitions: transport['kafka.partitions'],
          replicationFactor: transport['kafka.replication_factor'],
        }
      : undefined,
    limits: { sessionTimeoutMs: transport['kafka.session_timeout_ms'] },
    insertRun: pipeline.insertRun,
    log,
  });
  parts.add('kafka consumer', () => consumer.stop());
  return consumer;
}

function startSearchIndexing({ log }: RoleContext, store: Store, parts: Parts): void {
  const indexer = new SearchIndexer({ store, now: Date.now });
  let running: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    running = running
      .then(() => indexer.tick())
      .catch((error: unknown) => log.error({ error: errorMessage(error) }, 'search indexes were not built'));
  }, searchIndexIntervalMs);
  parts.add('search indexes', async () => {
    clearInterval(timer);
    await running;
  });
}

function startRetention({ log }: RoleContext, store: Store, retentionMs: number, parts: Parts): void {
  if (retentionMs === 0) return;
  let running: Promise<void> = Promise.resolve();
  const sweep = (): void => {
    running = dropExpired(store, { retentionMs, nowMs: Date.now() }).then(
      (dropped) => {
        if (dropped.length > 0) log.info({ dropped }, 'expired partitions were dropped');
      },
      (error: unknown) => log.error({ error: errorMessage(error) }, 'dropping expired partitions failed'),
    );
  };
  sweep();
  const timer = setInterval(sweep, retentionIntervalMs);
  parts.add('retention', async () => {
    clearInterval(timer);
    await running;
  });
}

function startCompaction({ config, log }: RoleContext, store: Store, parts: Parts): void {
  const abort = new AbortController();
  const latenessMs = durationMs(config.store['compaction.lateness']);
  let running: Promise<void> | undefined;
  const compact = (): void => {
    // One that takes longer than the interval is not joined by another.
    running ??= compactClosed(store, { latenessMs, nowMs: Date.now(), log }, abort.signal)
      .then(
        () => undefined,
        (error: unknown) => {
          if (!abort.signal.aborted) log.error({ error: errorMessage(error) }, 'compacting samples failed');
        },
      )
      .finally(() => {
        running = undefined;
      });
  };
  compact();
  const timer = setInterval(compact, durationMs(config.store['compaction.interval']));
  parts.add('compaction', async () => {
    clearInterval(timer);
    abort.abort(new Error('the process stops'));
    await running;
  });
}
