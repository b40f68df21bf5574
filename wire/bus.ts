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
