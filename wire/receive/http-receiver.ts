/**
 * The receiver over HTTP: standard requests come in, envelopes go to a sink, and the sink's verdict goes back in the
 * words of each protocol. The agent and the collector host the same receiver; only the sink differs.
 *
 *   POST /v1/logs (OTLP protobuf, gzip)  ->  sink({ signal: 'logs', tenant, batchId, bytes })  ->  200, empty message
 *   POST /loki/api/v1/push (JSON)        ->  converted to OTLP protobuf, then the same        ->  204
 *
 * A request is answered 2xx only after the sink says that it is durable. Bytes in flight are bounded before bodies are
 * read; over the bound the answer is 503 with Retry-After, which senders of all protocols repeat.
 */
import { metrics } from '@opentelemetry/api';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { httpHeaderBatchId } from '../bus.ts';
import { createConverterPool } from '../conversion/converter-pool.ts';
import type { EnvelopeSink } from '../envelope.ts';
import { acceptedEncodings, bodyTooLarge } from './content-encoding.ts';
import { InflightBytes, type Reservation } from './inflight-bytes.ts';
import { createIntake } from './intake.ts';
import type { PushHeaders, PushProtocol, PushReply } from './push-protocol.ts';
import type { PushRoute } from './push-routes.ts';

export interface HttpReceiverOptions {
  readonly sink: EnvelopeSink;
  /** Of one body, before and after decompression, and after conversion. OTLP asks servers to accept 64 MiB. */
  readonly bodyBytesMax: number;
  /** Of all bodies that are not yet answered, as received, inflated and converted. */
  readonly inflightBytesMax: number;
  readonly routes: readonly PushRoute[];
}

const requestCounter = metrics.getMeter('sonde').createCounter('sonde.receive.requests', {
  description: 'Requests that pushed telemetry, by signal, path and HTTP status.',
});

/** Adds the receiver's routes to a server. Register it in its own fastify scope: it replaces the body parser there. */
export function registerHttpReceiver(app: FastifyInstance, options: HttpReceiverOptions): void {
  const inflight = new InflightBytes(options.inflightBytesMax);
  const reservations = new WeakMap<FastifyRequest, Reservation>();
  const pool = createConverterPool();
  const intake = createIntake({ ...options, pool, now: () => BigInt(Date.now()) * 1_000_000n });
  app.addHook('onClose', () => pool.close());
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: options.bodyBytesMax },
    (_request, body, done) => done(null, body),
  );
  app.addHook('onRequest', async (request, reply) => {
    const announced = Number(request.headers['content-length'] ?? options.bodyBytesMax);
    // A body that is over the limit by itself is refused by the body parser with 413, not told to come again.
    const reservation = inflight.reserve(announced <= options.bodyBytesMax ? announced : 0);
    reservations.set(request, reservation);
    reply.raw.once('close', reservation.release);
  });
  for (const { path, protocol } of options.routes) {
    const errorHandler = (
      error: FastifyError,
      request: FastifyRequest,
      reply: FastifyReply,
    ): FastifyReply => {
      const known = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE' ? bodyTooLarge(options.bodyBytesMax) : error;
      return sendFailure(reply, request, protocol, known);
    };
    app.post(path, { errorHandler }, async (request, reply) => {
      const headers = headersOf(request);
      const outcome = await intake({
        signal: protocol.signal,
        form: protocol.readBody(headers),
        tenant: parseTenant(request.headers[tenantHeader]),
        received: (request.body as Buffer | undefined) ?? Buffer.alloc(0),
        encoding: headerText(request, 'content-encoding'),
        batchId: headerText(request, httpHeaderBatchId),
        gone: goneOf(reply),
        hold: (heldBytes) => reservations.get(request)?.resize(heldBytes),
      });
      return send(reply, protocol, protocol.renderOutcome(outcome, headers));
    });
  }
}

/** Answers 405 to every method but POST. Register it in a scope of its own, of a server that does not do so itself. */
export function refuseOtherMethods(app: FastifyInstance, routes: readonly PushRoute[]): void {
  for (const { path, protocol } of routes) {
    app.route({
      method: ['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: path,
      // Before the body is read: nobody will.
      onRequest: async (request, reply) => {
        const message = `${request.method} is not a method of ${path}: use POST`;
        const refusal = protocol.renderFailure(405, message, headersOf(request));
        return send(reply.header('allow', 'POST'), protocol, refusal);
      },
      handler: () => undefined,
    });
  }
}

const clientGone = new UnavailableError('the client did not wait for the answer');

/** Fires when the connection is closed, or the answer was sent. */
function goneOf({ raw }: FastifyReply): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => controller.abort(clientGone);
  raw.once('close', abort);
  if (raw.destroyed) abort();
  return controller.signal;
}

function headerText(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function headersOf(request: FastifyRequest): PushHeaders {
  const contentType = headerText(request, 'content-type') ?? '';
  return {
    contentType,
    mediaType: contentType.split(';')[0]!.trim().toLowerCase(),
    contentEncoding: (headerText(request, 'content-encoding') ?? '').trim().toLowerCase(),
    path: request.url.split('?', 1)[0]!,
    query: request.query as Readonly<Record<string, unknown>>,
  };
}

function send(
  reply: FastifyReply,
  { signal }: PushProtocol,
  { status, headers, body }: PushReply,
): FastifyReply {
  requestCounter.add(1, { signal, path: reply.request.routeOptions.url ?? '', status });
  return reply
    .code(status)
    .headers(headers ?? {})
    .send(body);
}

function sendFailure(
  reply: FastifyReply,
  request: FastifyRequest,
  protocol: PushProtocol,
  error: Error,
): FastifyReply {
  const status = statusOf(error);
  const message = errorMessage(error);
  if (status >= 500) {
    request.log.warn({ signal: protocol.signal, error: message }, 'a pushed request was not stored');
  }
  if (error instanceof UnavailableError) {
    reply.header('retry-after', String(Math.ceil(error.retryAfterMs / 1000)));
  }
  if (status === 415) reply.header('accept-encoding', acceptedEncodings);
  return send(reply, protocol, protocol.renderFailure(status, message, headersOf(request)));
}

function statusOf(error: Error): number {
  if (error instanceof RefusedError || error instanceof UnavailableError) return error.status;
  const status = (error as FastifyError).statusCode;
  return status !== undefined && status >= 400 ? status : 500;
}
