/**
 * Sonde watches Sonde: the OpenTelemetry SDK of every role. Metrics are served on /metrics and, with traces, pushed as
 * OTLP through the same pipeline as everybody's, under the tenant `sonde`.
 *
 * Start it before the modules that make instruments are imported: an instrument made earlier counts nothing.
 *
 * The SDK for Node, with its exporters, is only loaded for roles that make spans: an agent is on every machine, and metrics
 * alone need a tenth of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { metrics } from '@opentelemetry/api';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { type Resource, resourceFromAttributes } from '@opentelemetry/resources';
import { type IMetricReader, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
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
  /** The role makes spans, which are pushed as well. */
  readonly hasSpans: boolean;
}

/** An export that takes longer than this is given up: self-observation must not hold the shutdown. */
const exportTimeoutMs = 3000;

export async function startTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const prometheus = new PrometheusExporter({ preventServerStart: true });
  const { otlpUrl: url } = options;
  const metricReaders: IMetricReader[] = [prometheus];
  if (url !== undefined) metricReaders.push(await pushingReader(url, options.intervalMs));
  const resource = resourceFromAttributes({
    'service.name': `sonde-${options.role}`,
    'service.version': options.version,
    'service.instance.id': options.node,
    'host.name': options.node,
  });
  const shutdown =
    url !== undefined && options.hasSpans
      ? await startSpansAndMetrics(resource, metricReaders, url)
      : startMetrics(resource, metricReaders);
  return {
    serveMetrics: (request, response) => prometheus.getMetricsRequestHandler(request, response),
    shutdown,
  };
}

function exporterOptions(url: string) {
  return { url, headers: { [tenantHeader]: tenantSelf }, timeoutMillis: exportTimeoutMs };
}

async function pushingReader(url: string, intervalMs: number): Promise<IMetricReader> {
  const { OTLPMetricExporter } = await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(exporterOptions(`${url}/v1/metrics`)),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(exportTimeoutMs, intervalMs),
  });
}

function startMetrics(resource: Resource, readers: IMetricReader[]): () => Promise<void> {
  const provider = new MeterProvider({ resource, readers });
  metrics.setGlobalMeterProvider(provider);
  return () => provider.shutdown();
}

async function startSpansAndMetrics(
  resource: Resource,
  metricReaders: IMetricReader[],
  url: string,
): Promise<() => Promise<void>> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
  const { NodeSDK } = await import('@opentelemetry/sdk-node');
  const traceExporter = new OTLPTraceExporter(exporterOptions(`${url}/v1/traces`));
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource,
    metricReaders,
    traceExporter,
    logRecordProcessors: [],
  });
  sdk.start();
  return () => sdk.shutdown();
}
