/** The collector in a process: receivers and, where configured, the Kafka consumer, both into one pipeline. */

import { availableParallelism } from 'node:os';
import { transcoderOptions } from '#collector/collector-options.ts';
import { createDirectSink } from '#collector/direct-sink.ts';
import { type KafkaConsumerStatus, startKafkaConsumer } from '#collector/kafka/consumer.ts';
import type { PartitionGates } from '#collector/kafka/partition-gate.ts';
import { createPipeline, type Pipeline } from '#collector/pipeline.ts';
import { countBypassedTraces, createTailSampling } from '#collector/sampling/tail-sampling.ts';
import { countBuffersWithHeap } from '#model/buffer-accounting.ts';
import { durationMs } from '#model/config/option.ts';
import { errorMessage } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import type { EnvelopeSink } from '#wire/envelope.ts';
import { kafkaSecurity } from '#wire/kafka/security.ts';
import { type Receivers, startReceivers } from '#wire/receive/receivers.ts';
import type { Parts } from './parts.ts';
import type { RoleContext } from './role-context.ts';
import { startStoreSweep } from './store-sweep.ts';
import { startUpkeep } from './store-upkeep.ts';

export interface CollectorPart {
  readonly receivers: Receivers;
  readonly pipeline: Pipeline;
  readonly sink: EnvelopeSink;
  readonly banner: readonly string[];
  statusLine(): string;
  summary(): string;
}

/** Requests under way have this long to be stored when the process stops. */
const closeGraceMs = 10_000;

export async function startCollectorPart(
  context: RoleContext,
  store: Store,
  parts: Parts,
): Promise<CollectorPart> {
  const { config, log, telemetry } = context;
  const retentionMs = durationMs(config.store.retention);
  const sampling = createTailSampling(config.collector, config.transport.kind === 'kafka');
  countBuffersWithHeap();
  const pipeline = createPipeline({
    store,
    workers: config.collector.workers || Math.max(1, Math.floor(availableParallelism() / 4)),
    inflightBytesMax: config.receive.inflight_bytes_max,
    group: { rowsMax: config.collector.block_rows_max, ageMsMax: config.collector.block_age_ms_max },
    hasShards: config.store.cluster !== '',
    retentionMs,
    now: Date.now,
    transcoder: transcoderOptions(config.collector),
    deltaSeriesMax: config.collector['otlp.delta_series_max'],
  });
  parts.add('pipeline', () => pipeline.close());
  startStoreSweep(context, store, parts);
  const direct = createDirectSink(pipeline);
  const sink = sampling === undefined ? direct : countBypassedTraces(direct, log);
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
  const kafka =
    config.transport.kind === 'kafka' ? await startKafka(context, pipeline, sampling, parts) : undefined;
  // Last, so that it stops before the receivers drain: they have the store to themselves, and it goes on the next time.
  startUpkeep(context, store, parts);
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
      const behind = kafka === undefined ? '' : `  ${kafkaLine(kafka.status())}`;
      return `stored ${rowsStored} rows  rejected ${recordsRejected}${behind}`;
    },
    summary() {
      const { rowsStored, recordsAccepted, recordsRejected } = pipeline.status();
      return `stored ${recordsAccepted} records in ${rowsStored} rows, rejected ${recordsRejected}`;
    },
  };
}

/** kafka ok, 16 partitions, 1200 messages (3.2 s) behind */
function kafkaLine({ state, partitions, lag, lagSeconds }: KafkaConsumerStatus): string {
  const behind = lag === 0 ? '' : `, ${lag} messages (${lagSeconds.toFixed(1)} s) behind`;
  return `kafka ${state}, ${partitions.length} partitions${behind}`;
}

async function startKafka(
  { config, log }: RoleContext,
  pipeline: Pipeline,
  gates: PartitionGates | undefined,
  parts: Parts,
) {
  const { transport, collector } = config;
  const consumer = await startKafkaConsumer({
    brokers: transport['kafka.brokers'],
    groupId: transport['kafka.group_id'],
    groupInstanceId: transport['kafka.group_instance_id'],
    topics: {
      logs: transport['kafka.topics.logs'],
      traces: transport['kafka.topics.traces'],
      metrics: transport['kafka.topics.metrics'],
      remote_write: transport['kafka.topics.remote_write'],
    },
    deadLetterTopic: transport['kafka.topics.dead_letters'],
    deadLetterWaitMs: durationMs(transport['kafka.dead_letters.wait']),
    bodyBytesMax: config.receive.body_bytes_max,
    takesPlainLogs: transport['kafka.plain_logs'],
    createTopics: transport['kafka.create_topics']
      ? {
          partitions: transport['kafka.partitions'],
          replicationFactor: transport['kafka.replication_factor'],
          retentionMs: transport['kafka.retention_ms'] || undefined,
        }
      : undefined,
    gates,
    ...kafkaSecurity(transport, log),
    limits: {
      sessionTimeoutMs: transport['kafka.session_timeout_ms'],
      bufferBytesMax: transport['kafka.buffer_bytes_max'],
      runAgeMsMax: collector.block_age_ms_max,
    },
    insertRun: pipeline.insertRun,
    log,
  });
  parts.add('kafka consumer', () => consumer.stop());
  return consumer;
}
