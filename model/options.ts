/** The options that more than one role reads. Role-specific tables stand in their own folders. */
import { z } from 'zod';
import { countSchema, durationSchema, option, portSchema, secretOption } from './config/option.ts';
import { tenantDefault } from './tenant.ts';

const urlSchema = z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' });
const urlOrNone = z.union([z.literal(''), urlSchema]);

/** Listeners that take telemetry in, on agents and collectors alike. */
export const receiveOptions = {
  host: option(z.string(), '127.0.0.1', 'Address to listen on for OTLP and remote write.'),
  otlp_http_port: option(
    portSchema,
    4318,
    'OTLP over HTTP, and Prometheus remote write. 0 picks a free port.',
  ),
  otlp_grpc_port: option(portSchema, 4317, 'OTLP over gRPC. 0 picks a free port.'),
  body_bytes_max: option(
    countSchema,
    64 * 1024 * 1024,
    'Largest request body, before and after decompression.',
  ),
  inflight_bytes_max: option(
    countSchema,
    256 * 1024 * 1024,
    'Bodies that are received and not yet stored; over it, senders are told to come again (503).',
  ),
};

/** How envelopes go from agents to collectors. */
export const transportOptions = {
  kind: option(
    z.enum(['direct', 'kafka']),
    'direct',
    'direct posts to a collector, kafka goes through Apache Kafka.',
  ),
  collector_url: option(
    urlOrNone,
    '',
    'Base URL of the collector for direct. Empty: the receiver of this process.',
  ),
  'kafka.brokers': option(z.array(z.string()), ['127.0.0.1:9092'], 'Kafka bootstrap addresses.'),
  'kafka.group_id': option(z.string().min(1), 'sonde-collector', "The collectors' consumer group."),
  'kafka.topics.logs': option(z.string().min(1), 'otlp_logs', 'Topic of OTLP logs.'),
  'kafka.topics.traces': option(z.string().min(1), 'otlp_spans', 'Topic of OTLP traces.'),
  'kafka.topics.metrics': option(z.string().min(1), 'otlp_metrics', 'Topic of OTLP metrics.'),
  'kafka.topics.remote_write': option(
    z.string().min(1),
    'prometheus_remote_write',
    'Topic of Prometheus remote write 2.0.',
  ),
  'kafka.topics.dead_letters': option(
    z.string().min(1),
    'sonde_dead_letters',
    'Topic of what could not be decoded.',
  ),
  'kafka.create_topics': option(z.boolean(), true, 'Create missing topics.'),
  'kafka.partitions': option(countSchema, 8, 'Partitions of topics that are created.'),
  'kafka.replication_factor': option(countSchema, 1, 'Replicas of topics that are created.'),
  'kafka.message_bytes_max': option(
    countSchema,
    1_000_000,
    "Largest message; keep below the broker's message.max.bytes.",
  ),
};

/** ClickHouse. */
export const storeOptions = {
  kind: option(z.enum(['embedded', 'server']), 'embedded', 'embedded runs ClickHouse in this process.'),
  path: option(z.string().min(1), './data', 'Data directory of the embedded engine, and of checkpoints.'),
  memory_bytes_max: option(countSchema, 2 * 1024 ** 3, 'Memory bound of the embedded engine.'),
  url: option(urlOrNone, '', 'ClickHouse HTTP address of the server kind.'),
  username: option(z.string(), 'default', 'ClickHouse user.'),
  password: secretOption(z.string(), '', 'ClickHouse password.'),
  retention: option(
    durationSchema,
    '30d',
    'Age at which data is dropped, by whole partitions. 0 keeps for ever.',
  ),
};

/** Sonde's own telemetry. */
export const telemetryOptions = {
  otlp_url: option(
    urlOrNone,
    '',
    "Where Sonde's own metrics and traces are pushed. Empty: this process's receiver.",
  ),
  is_pushed: option(
    z.boolean(),
    true,
    'Push own telemetry under the tenant `sonde`. /metrics is served either way.',
  ),
  interval_ms: option(countSchema, 15_000, 'Time between two pushes of own metrics.'),
  log_level: option(
    z.enum(['debug', 'info', 'warn', 'error']),
    'info',
    "Least severe of Sonde's own log lines.",
  ),
};

/** The tenant that an agent's own sources belong to. */
export const tenantOption = option(
  z.string().min(1),
  tenantDefault,
  "Tenant of this agent's logs and metrics.",
);
