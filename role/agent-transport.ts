/** How an agent's envelopes travel: to a collector, or through Kafka. */
import { join } from 'node:path';
import { observeBuffer } from '#agent/buffer/buffer-counts.ts';
import { createDiskBuffer } from '#agent/buffer/disk-buffer.ts';
import { createDirectTransport } from '#agent/transport/direct.ts';
import { ConfigError } from '#model/errors.ts';
import type { Transport } from '#wire/envelope.ts';
import { kafkaSecurity } from '#wire/kafka/security.ts';
import type { SondeConfig } from './config-tables.ts';
import type { RoleContext } from './role-context.ts';

/** `ownReceiver` is the receiver of a collector in this process. Throws ConfigError where no collector is named. */
export async function openTransport(
  { config, log, node }: RoleContext,
  ownReceiver: string | undefined,
): Promise<Transport> {
  const options = config.transport;
  if (options.kind === 'kafka') {
    // Its client takes memory that an agent without Kafka has no use for.
    const { createKafkaTransport } = await import('#agent/transport/kafka.ts');
    const wantedTopics = {
      partitions: options['kafka.partitions'],
      replicationFactor: options['kafka.replication_factor'],
      retentionMs: options['kafka.retention_ms'] || undefined,
    };
    return createKafkaTransport({
      brokers: options['kafka.brokers'],
      clientId: `sonde-agent-${node}`,
      topics: {
        logs: options['kafka.topics.logs'],
        traces: options['kafka.topics.traces'],
        metrics: options['kafka.topics.metrics'],
        remote_write: options['kafka.topics.remote_write'],
      },
      wantedTopics,
      createTopics: options['kafka.create_topics'] ? wantedTopics : undefined,
      messageBytesMax: options['kafka.message_bytes_max'],
      lingerMs: options['kafka.linger_ms'],
      inflightBytesMax: options['kafka.inflight_bytes_max'],
      inflightRequestsMax: options['kafka.inflight_requests_max'],
      compression: options['kafka.compression'],
      keyBuckets: options['kafka.key_buckets'],
      ...kafkaSecurity(options, log),
      log,
    });
  }
  const url = options.collector_url || ownReceiver;
  if (url === undefined) {
    throw new ConfigError(
      'transport.kind is direct, but transport.collector_url does not say where the collector is (such as http://collector:4318)',
    );
  }
  return createDirectTransport({ url, log });
}

/** A Kafka message must stay below the broker's limit, and a batch is one message. */
export function batchBytesMax(config: SondeConfig): number {
  const wanted = config.agent['logs.batch_bytes_max'];
  const headroom = 0.9;
  return config.transport.kind === 'kafka'
    ? Math.min(wanted, Math.floor(config.transport['kafka.message_bytes_max'] * headroom))
    : wanted;
}

/** Returns the transport behind a disk buffer, which then closes it, or the transport itself where none is wanted. */
export function openBuffer({ config, log }: RoleContext, transport: Transport): Transport {
  const options = config.agent;
  if (!options['buffer.is_used']) return transport;
  const statePath = options.state_path || join(config.store.path, 'agent');
  const buffer = createDiskBuffer({
    transport,
    path: options['buffer.path'] || join(statePath, 'buffer'),
    bytesMax: options['buffer.bytes_max'],
    ageMsMax: options['buffer.age_ms_max'],
    sync: options['buffer.sync'],
    syncIntervalMs: options['buffer.sync_interval_ms'],
    log,
  });
  observeBuffer(buffer);
  return buffer;
}
