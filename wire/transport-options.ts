/** How envelopes go from agents to collectors: read by both. */
import { z } from 'zod';
import { countSchema, durationSchema, option, secretOption, urlOrNoneSchema } from '#model/config/option.ts';
import { deadLetterTopicDefault, topicDefaults } from './bus.ts';
import { saslMechanisms } from './kafka/security.ts';

export const bufferBytesMaxDefault = 320 * 1024 * 1024;

export const transportOptions = {
  kind: option(
    z.enum(['direct', 'kafka']),
    'direct',
    'direct posts to a collector, kafka goes through Apache Kafka.',
  ),
  collector_url: option(
    urlOrNoneSchema,
    '',
    'Base URL of the collector for direct. Empty: the receiver of this process.',
  ),
  'kafka.brokers': option(z.array(z.string()), ['127.0.0.1:9092'], 'Kafka bootstrap addresses.'),
  'kafka.group_id': option(z.string().min(1), 'sonde-collector', "The collectors' consumer group."),
  'kafka.topics.logs': option(z.string().min(1), topicDefaults.logs, 'Topic of OTLP logs.'),
  'kafka.topics.traces': option(z.string().min(1), topicDefaults.traces, 'Topic of OTLP traces.'),
  'kafka.topics.metrics': option(z.string().min(1), topicDefaults.metrics, 'Topic of OTLP metrics.'),
  'kafka.topics.remote_write': option(
    z.string().min(1),
    topicDefaults.remote_write,
    'Topic of Prometheus remote write.',
  ),
  'kafka.topics.dead_letters': option(
    z.string().min(1),
    deadLetterTopicDefault,
    'Topic of what could not be decoded.',
  ),
  'kafka.dead_letters.wait': option(
    durationSchema,
    '10m',
    'How long a topic of dead letters that is missing or refuses is waited for; then a letter is counted as lost, and its partition goes on. 0 waits for ever.',
  ),
  'kafka.plain_logs': option(
    z.boolean(),
    false,
    'Store what is no OTLP on the topic of logs as the body of a log record.',
  ),
  'kafka.create_topics': option(z.boolean(), true, 'Create missing topics.'),
  'kafka.partitions': option(
    countSchema.max(10_000),
    8,
    'Partitions of topics that are created, and parts that requests of spans are split into: as many as the topic has.',
  ),
  'kafka.replication_factor': option(countSchema, 1, 'Replicas of topics that are created.'),
  'kafka.session_timeout_ms': option(
    countSchema,
    30_000,
    'A collector that is silent for longer is taken for dead, and its partitions go to others.',
  ),
  'kafka.group_instance_id': option(
    z.string().max(200),
    '',
    "A collector's own name that stays the same when it restarts (a StatefulSet's pod name): it gets its partitions back, and the others do not stop. Empty: none.",
  ),
  'kafka.buffer_bytes_max': option(
    countSchema,
    bufferBytesMaxDefault,
    'What a collector holds of all partitions: fetched and compressed (two fifths), and inflated for inserts under way.',
  ),
  'kafka.retention_ms': option(
    z.number().int().nonnegative(),
    0,
    'How long topics that are created keep messages (retention.ms). 0: as long as the brokers have it.',
  ),
  'kafka.message_bytes_max': option(
    countSchema,
    1_000_000,
    "Largest record batch, compressed. A topic's max.message.bytes, which is read from the brokers, may lower it.",
  ),
  'kafka.linger_ms': option(
    z.number().int().nonnegative(),
    5,
    'How long an agent holds a batch that is not full for more.',
  ),
  'kafka.inflight_bytes_max': option(
    countSchema,
    67_108_864,
    'Bytes of requests that an agent has on their way to Kafka; sources wait beyond it.',
  ),
  'kafka.inflight_requests_max': option(countSchema, 1000, 'The same, as a number of requests.'),
  'kafka.compression': option(z.enum(['zstd', 'gzip', 'none']), 'zstd', 'Compression of record batches.'),
  'kafka.key_buckets': option(
    countSchema,
    8,
    'Trace ids and resources fall into so many buckets, each of which stays in one partition. The same for all agents, and a multiple of kafka.partitions.',
  ),
  'kafka.tls.is_used': option(z.boolean(), false, 'Speak TLS with the brokers.'),
  'kafka.tls.ca_path': option(
    z.string(),
    '',
    'PEM file of the authorities that sign the certificates of brokers. Empty: the public ones.',
  ),
  'kafka.tls.cert_path': option(
    z.string(),
    '',
    'PEM file of our own certificate, where brokers ask for one. Read again when it changes.',
  ),
  'kafka.tls.key_path': option(z.string(), '', 'PEM file of its key.'),
  'kafka.sasl.mechanism': option(z.enum(saslMechanisms), 'none', 'How we prove who we are.'),
  'kafka.sasl.username': option(z.string(), '', 'User, or client id for OAUTHBEARER.'),
  'kafka.sasl.password': secretOption(z.string(), '', 'Password, or client secret for OAUTHBEARER.'),
  'kafka.sasl.password_path': option(
    z.string(),
    '',
    'A file that holds it instead, read at each authentication.',
  ),
  'kafka.sasl.oauth_url': option(
    urlOrNoneSchema,
    '',
    'Token endpoint for OAUTHBEARER (client credentials grant).',
  ),
  'kafka.sasl.oauth_scope': option(z.string(), '', 'Scope to ask for. Empty: none.'),
};
