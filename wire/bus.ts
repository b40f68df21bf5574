/** The Kafka topics and headers that every role, the compose file and the charts agree on. */
import type { Signal } from './envelope.ts';

export const topicDefaults: Readonly<Record<Signal, string>> = {
  logs: 'otlp_logs',
  traces: 'otlp_spans',
  metrics: 'otlp_metrics',
  remote_write: 'prometheus_remote_write',
};
export const deadLetterTopicDefault = 'sonde_dead_letters';

export const headerTenant = 'tenant';
export const headerBatchId = 'batch-id';
export const headerContentType = 'content-type';
/** What a value is compressed with, as in HTTP; Kafka's own compression of batches needs no header. */
export const headerContentEncoding = 'content-encoding';
/** An encoding by its name in the OpenTelemetry Collector, for what cannot be told from the bytes. */
export const headerEncoding = 'encoding';
/** Of a message that was replayed from a dead letter: when it came first, in milliseconds since 1970, ... */
export const headerOriginTimestamp = 'sonde-origin-timestamp';
/** ... from where (topic/partition/offset), ... */
export const headerOrigin = 'sonde-origin';
/** ... and how often it was replayed, this time included. */
export const headerReplays = 'sonde-replays';

export const contentTypeOtlp = 'application/x-protobuf';
export const contentTypeRemoteWrite2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

/** The HTTP header that carries Envelope.batchId on the direct transport. */
export const httpHeaderBatchId = 'x-sonde-batch-id';

/** HTTP path of each signal on the collector's OTLP/HTTP port. */
export const receivePaths: Readonly<Record<Signal, string>> = {
  logs: '/v1/logs',
  traces: '/v1/traces',
  metrics: '/v1/metrics',
  remote_write: '/api/v1/write',
};
