/**
 * The receiver over gRPC: the three OTLP export services. Messages stay bytes: the same envelopes as over HTTP.
 * Status codes follow OTLP 1.5 "Failures": UNAVAILABLE may be repeated, and so may RESOURCE_EXHAUSTED
 * with a RetryInfo (a quota); INVALID_ARGUMENT must not be.
 */
import * as grpc from '@grpc/grpc-js';
import { metrics } from '@opentelemetry/api';
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { httpHeaderBatchId } from '../bus.ts';
import type { EnvelopeSink, Signal } from '../envelope.ts';
import { contentIdentity, senderIdentity } from './batch-identity.ts';
import { InflightBytes } from './inflight-bytes.ts';
import { encodeExportResponse, grpcCode } from './reply.ts';
import { encodeRetryStatus, statusDetailsKey } from './retry-info.ts';

const services: Readonly<Record<Exclude<Signal, 'remote_write'>, string>> = {
  logs: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
};

const requestCounter = metrics.getMeter('sonde').createCounter('sonde.receive.grpc_requests', {
  description: 'OTLP/gRPC export calls, by signal and gRPC status code.',
});

export interface GrpcReceiver {
  readonly port: number;
  /** Lets running calls end, then stops; after `graceMs` it cuts them off. */
  close(graceMs: number): Promise<void>;
}

/** Listens on host:port. Rejects with the socket's error, for example when the port is taken. */
export async function startGrpcReceiver(options: {
  readonly sink: EnvelopeSink;
  readonly host: string;
  readonly port: number;
  readonly bodyBytesMax: number;
  /** Of all messages that are not yet answered. */
  readonly inflightBytesMax: number;
}): Promise<GrpcReceiver> {
  const inflight = new InflightBytes(options.inflightBytesMax);
  const server = new grpc.Server({
    'grpc.max_receive_message_length': options.bodyBytesMax,
    'grpc.max_concurrent_streams': 100,
  });
  for (const signal of Object.keys(services) as (keyof typeof services)[]) {
    const method: grpc.MethodDefinition<Buffer, Buffer> = {
      path: services[signal],
      requestStream: false,
      responseStream: false,
      requestSerialize: (bytes) => bytes,
      requestDeserialize: (bytes) => bytes,
      responseSerialize: (bytes) => bytes,
      responseDeserialize: (bytes) => bytes,
    };
    server.addService({ export: method }, { export: exportHandler(signal, options.sink, inflight) });
  }
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(
      `${options.host}:${options.port}`,
      grpc.ServerCredentials.createInsecure(),
      (error, bound) => (error === null ? resolve(bound) : reject(error)),
    );
  });
  return { port, close: (graceMs) => closeServer(server, graceMs) };
}

function exportHandler(
  signal: keyof typeof services,
  sink: EnvelopeSink,
  inflight: InflightBytes,
): grpc.handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const header = (name: string): string | undefined => call.metadata.get(name)[0]?.toString();
    const answer = async (): Promise<Buffer> => {
      const tenant = parseTenant(header(tenantHeader));
      const batchId =
        senderIdentity(header(httpHeaderBatchId)) ?? contentIdentity(tenant, signal, call.request);
      const reservation = inflight.reserve(call.request.length);
      const delivery = await sink({
        signal,
        tenant,
        batchId,
        key: `${tenant}/${batchId}`,
        bytes: call.request,
      }).finally(reservation.release);
      return Buffer.from(encodeExportResponse(delivery.rejected, delivery.reason));
    };
    answer().then(
      (reply) => {
        requestCounter.add(1, { signal, code: 0 });
        callback(null, reply);
      },
      (error: unknown) => {
        const failure = renderFailure(error);
        requestCounter.add(1, { signal, code: failure.code });
        callback(failure);
      },
    );
  };
}

/** A refusal that may be repeated says when: without it, OTLP senders give up on RESOURCE_EXHAUSTED. */
function renderFailure(error: unknown): Partial<grpc.StatusObject> & { readonly code: number } {
  const details = errorMessage(error);
  if (error instanceof RefusedError) return { code: grpcCode(error.status), details };
  if (!(error instanceof UnavailableError)) return { code: grpc.status.INTERNAL, details };
  const code = grpcCode(error.status);
  const metadata = new grpc.Metadata();
  metadata.set(statusDetailsKey, encodeRetryStatus(code, details, error.retryAfterMs));
  return { code, details, metadata };
}

async function closeServer(server: grpc.Server, graceMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
