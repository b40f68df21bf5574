/** How envelopes go from agents to collectors: read by both. */
import { z } from 'zod';
import { countSchema, durationSchema, option, urlOrNoneSchema } from '#model/config/option.ts';
import { deadLetterTopicDefault, topicDefaults } from './bus.ts';

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
  'kafka.partitions': option(countSchema, 8, 'Partitions of topics that are created.'),
  'kafka.replication_factor': option(countSchema, 1, 'Replicas of topics that are created.'),
  'kafka.session_timeout_ms': option(
    countSchema,
    30_000,
    'A collector that is silent for longer is taken for dead, and its partitions go to others.',
  ),
  'kafka.message_bytes_max': option(
    countSchema,
    1_000_000,
    "Largest message; keep below the broker's message.max.bytes.",
  ),
};
