/**
 * Sonde watches Sonde: the OpenTelemetry SDK of every role. Metrics are served on /metrics and, with traces, pushed as
 * OTLP through the same pipeline as everybody's, under the tenant `sonde`.
 *
 * Start it before the modules that make instruments are imported: an instrument made earlier counts nothing.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { tenantHeader, tenantSelf } from './tenant.ts';

export interface Telemetry {
  /** Answers a /metrics request in the Prometheus text format. */
  serveMetrics(request: IncomingMessage, response: ServerResponse): void;
  /** Pushes what is left; must be called while the receiver still listens. */
  shutdown(): Promise<void>;
}

export interface TelemetryOptions {
  readonly role: string;
  readonly version: string;
  readonly node: string;
  /** Base URL of an OTLP/HTTP receiver; undefined pushes nothing and only serves /metrics. */
  readonly otlpUrl: string | undefined;
  readonly intervalMs: number;
}

/** An export that takes longer than this is given up: self-observation must not hold the shutdown. */
const exportTimeoutMs = 3000;

export function startTelemetry(options: TelemetryOptions): Telemetry {
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const headers = { [tenantHeader]: tenantSelf };
  const url = options.otlpUrl;
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({
      'service.name': `sonde-${options.role}`,
      'service.version': options.version,
      'service.instance.id': options.node,
      'host.name': options.node,
    }),
    metricReaders: [
      prometheus,
      ...(url === undefined
        ? []
        : [
            new PeriodicExportingMetricReader({
              exporter: new OTLPMetricExporter({
                url: `${url}/v1/metrics`,
                headers,
                timeoutMillis: exportTimeoutMs,
              }),
              exportIntervalMillis: options.intervalMs,
              exportTimeoutMillis: Math.min(exportTimeoutMs, options.intervalMs),
            }),
          ]),
    ],
    ...(url === undefined
      ? { spanProcessors: [] }
      : {
          traceExporter: new OTLPTraceExporter({
            url: `${url}/v1/traces`,
            headers,
            timeoutMillis: exportTimeoutMs,
          }),
        }),
    logRecordProcessors: [],
  });
  sdk.start();
  return {
    serveMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown: () => sdk.shutdown(),
  };
}
