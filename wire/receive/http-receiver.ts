/**
 * The receiver over HTTP: standard requests come in, envelopes go to a sink, and the sink's verdict goes back in the
 * words of each protocol. The agent and the collector host the same receiver; only the sink differs.
 *
 *   POST /v1/logs (OTLP protobuf, gzip)  ->  sink({ signal: 'logs', tenant, batchId, bytes })  ->  200, empty message
 *
 * A request is answered 2xx only after the sink says that it is durable. Bytes in flight are bounded before bodies are
 * read; over the bound the answer is 503 with Retry-After, which OTLP and remote write senders repeat.
 */
import { metrics } from '@opentelemetry/api';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { httpHeaderBatchId, receivePaths } from '../bus.ts';
import type { Delivery, EnvelopeSink, Signal } from '../envelope.ts';
import { batchIdentity } from './batch-identity.ts';
import { acceptedEncodings, bodyTooLarge, decodeContent } from './content-encoding.ts';
import { InflightBytes, type Reservation } from './inflight-bytes.ts';
import { encodeExportResponse, encodeStatus, grpcCode } from './reply.ts';

export interface HttpReceiverOptions {
  readonly sink: EnvelopeSink;
  /** Of one body, before and after decompression. OTLP asks servers to accept 64 MiB. */
  readonly bodyBytesMax: number;
  /** Of all bodies that are not yet answered, as received and as inflated. */
  readonly inflightBytesMax: number;
  readonly signals: readonly Signal[];
}

/** The protocol has snappy alone; zstd is what some senders of 1.0 add. These two it wants answered with 415. */
const remoteWriteEncodingsRefused = ['gzip', 'deflate'];
const remoteWriteMessages = ['io.prometheus.write.v2.Request', 'prometheus.WriteRequest'];

const requestCounter = metrics.getMeter('sonde').createCounter('sonde.receive.requests', {
  description: 'Requests that pushed telemetry, by signal and HTTP status.',
});
const byteCounter = metrics.getMeter('sonde').createCounter('sonde.receive.bytes', {
  description: 'Bytes of accepted requests after decompression.',
  unit: 'By',
});

/** Adds the receiver's routes to a server. Register it in its own fastify scope: it replaces the body parser there. */
export function registerHttpReceiver(app: FastifyInstance, options: HttpReceiverOptions): void {
  const inflight = new InflightBytes(options.inflightBytesMax);
  const reservations = new WeakMap<FastifyRequest, Reservation>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: options.bodyBytesMax },
    (_request, body, done) => done(null, body),
  );
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const signal = signalOf(request);
    const known = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? bodyTooLarge(options.bodyBytesMax) : error;
    return sendError(reply, request, signal, known);
  });
  app.addHook('onRequest', async (request, reply) => {
    const announced = Number(request.headers['content-length'] ?? options.bodyBytesMax);
    // A body that is over the limit by itself is refused by the body parser with 413, not told to come again.
    const reservation = inflight.reserve(announced <= options.bodyBytesMax ? announced : 0);
    reservations.set(request, reservation);
    reply.raw.once('close', reservation.release);
  });
  for (const signal of options.signals) {
    app.post(receivePaths[signal], { config: { signal } }, async (request, reply) => {
      const tenant = parseTenant(request.headers[tenantHeader]);
      const mediaType = checkContentType(request, signal);
      const bytes = await decodeContent(
        (request.body as Buffer | undefined) ?? new Uint8Array(0),
        headerText(request, 'content-encoding') ?? (signal === 'remote_write' ? 'snappy' : undefined),
        options.bodyBytesMax,
        (heldBytes) => reservations.get(request)?.resize(heldBytes),
      );
      const batchId = batchIdentity(headerText(request, httpHeaderBatchId), tenant, signal, bytes);
      // The sink may hand the bytes on to another thread: their length is zero afterwards.
      const byteCount = bytes.length;
      const delivery = await options.sink({ signal, tenant, batchId, key: `${tenant}/${batchId}`, bytes });
      byteCounter.add(byteCount, { signal });
      return sendDelivery(reply, signal, mediaType, delivery);
    });
  }
}

function signalOf(request: FastifyRequest): Signal {
  return (request.routeOptions.config as { signal?: Signal }).signal ?? 'logs';
}

function headerText(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

/** Returns the reply's content type; throws 415 on a body that this version does not read. */
function checkContentType(request: FastifyRequest, signal: Signal): string {
  const header = headerText(request, 'content-type') ?? '';
  const mediaType = header.split(';')[0]!.trim().toLowerCase();
  const message = /;\s*proto=([^;\s]+)/.exec(header)?.[1];
  if (signal === 'remote_write' && message !== undefined && !remoteWriteMessages.includes(message)) {
    throw new RefusedError(
      `remote write message "${message}" is not supported: send ${remoteWriteMessages.join(' or ')}`,
      415,
    );
  }
  const encoding = headerText(request, 'content-encoding')?.trim().toLowerCase() ?? '';
  if (signal === 'remote_write' && remoteWriteEncodingsRefused.includes(encoding)) {
    throw new RefusedError(
      `content-encoding "${encoding}" is not supported on ${request.url}: send snappy`,
      415,
    );
  }
  if (mediaType === 'application/x-protobuf') return mediaType;
  const advice =
    mediaType === 'application/json' && signal !== 'remote_write'
      ? 'OTLP as JSON is not supported yet: set the exporter to http/protobuf'
      : 'send application/x-protobuf';
  throw new RefusedError(`content-type "${header}" is not supported on ${request.url}: ${advice}`, 415);
}

function isRemoteWrite2(request: FastifyRequest): boolean {
  return (headerText(request, 'content-type') ?? '').includes(remoteWriteMessages[0]!);
}

function sendDelivery(
  reply: FastifyReply,
  signal: Signal,
  mediaType: string,
  delivery: Delivery,
): FastifyReply {
  if (signal !== 'remote_write') {
    requestCounter.add(1, { signal, status: 200 });
    return reply
      .code(200)
      .header('content-type', mediaType)
      .send(Buffer.from(encodeExportResponse(delivery.rejected, delivery.reason)));
  }
  // Their presence says that 2.0 was understood: 1.0 is answered without.
  if (delivery.accepted !== undefined && isRemoteWrite2(reply.request)) {
    const { accepted, histograms = 0, exemplars = 0 } = delivery;
    reply.header('x-prometheus-remote-write-samples-written', String(accepted - histograms));
    reply.header('x-prometheus-remote-write-histograms-written', String(histograms));
    reply.header('x-prometheus-remote-write-exemplars-written', String(exemplars));
  }
  // Remote write 2.0, "Partial Write": never a 2xx when something was refused; 4xx is not retried.
  const status = delivery.rejected > 0 ? 400 : 204;
  requestCounter.add(1, { signal, status });
  if (status === 204) return reply.code(204).send();
  return reply.code(400).header('content-type', 'text/plain; charset=utf-8').send(`${delivery.reason}\n`);
}

function sendError(reply: FastifyReply, request: FastifyRequest, signal: Signal, error: Error): FastifyReply {
  const status = statusOf(error);
  requestCounter.add(1, { signal, status });
  if (status >= 500)
    request.log.warn({ signal, error: errorMessage(error) }, 'a pushed request was not stored');
  if (error instanceof UnavailableError)
    reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  if (status === 415) reply.header('accept-encoding', acceptedEncodings);
  const message = errorMessage(error);
  if (signal === 'remote_write') {
    return reply.code(status).header('content-type', 'text/plain; charset=utf-8').send(`${message}\n`);
  }
  return reply
    .code(status)
    .header('content-type', 'application/x-protobuf')
    .send(Buffer.from(encodeStatus(grpcCode(status), message)));
}

function statusOf(error: Error): number {
  if (error instanceof RefusedError || error instanceof UnavailableError) return error.status;
  const status = (error as FastifyError).statusCode;
  return status !== undefined && status >= 400 ? status : 500;
}
