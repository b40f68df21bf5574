/**
 * POST /api/v1/read: Prometheus's remote read. A reader that knows chunks gets them as a stream; others get one message
 * of samples. (https://prometheus.io/docs/specs/prw/remote_read_spec/)
 *
 * Chunks must come in the order of labels and the store reads in that of ids: encoded, at one to two bytes a sample, they
 * wait until all are there.
 */
import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import snappy from 'snappyjs';
import { DecodeError, errorMessage, LimitError, RefusedError } from '#model/errors.ts';
import { parseTenant, tenantHeader } from '#model/tenant.ts';
import { QueryGate } from '../../promql/query-gate.ts';
import type { SampleSource, SeriesSamples } from '../../promql/source.ts';
import { compareLabels } from '../../promql/step-series.ts';
import { type EncodedSeries, encodeSeries, frameSeries } from '../../remote-read/chunk-frames.ts';
import {
  decodeReadRequest,
  type ReadQuery,
  type ReadRequest,
  readRequestBytesMax,
} from '../../remote-read/read-request.ts';
import { encodeReadResponse } from '../../remote-read/read-response.ts';
import { clientAbort } from '../client-abort.ts';
import { failureStatus } from '../failure-status.ts';
import type { PrometheusApiOptions } from './call.ts';

/** One message of samples is built in memory, at some thirteen bytes each. */
const messageSamplesMax = 5_000_000;
const seriesPerBreath = 128;
/** Frames are sent together until they are so many bytes. */
const pieceBytes = 64 * 1024;

export function addRemoteReadRoute(app: FastifyInstance, options: PrometheusApiOptions): void {
  const gate = new QueryGate(options.remoteRead.concurrency);
  void app.register((scope, _none, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(
      '*',
      { parseAs: 'buffer', bodyLimit: readRequestBytesMax },
      async (_request: FastifyRequest, body: unknown) => body,
    );
    scope.setErrorHandler(answerFailure);
    scope.post('/api/v1/read', async (request, reply) => {
      const source = options.source(parseTenant(request.headers[tenantHeader]));
      const wanted = decodeReadRequest(request.body instanceof Buffer ? request.body : new Uint8Array());
      const read = new RemoteRead(source, options.remoteRead.samplesMax, clientAbort(reply));
      // What is read stays in memory until it is sent: waiting for a reply is waiting for that.
      return gate.run(read.abort, () => answerRead(read, wanted, reply));
    });
    done();
  });
}

async function answerRead(
  read: RemoteRead,
  { queries, responseType }: ReadRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  switch (responseType) {
    case 'streamed_xor_chunks': {
      const results: EncodedSeries[][] = [];
      for (const query of queries) results.push(await read.collect(query, encodeSeries));
      return reply
        .type('application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse')
        .send(Readable.from(pieces(results)));
    }
    case 'samples': {
      const results: SeriesSamples[][] = [];
      for (const query of queries) {
        results.push(await read.collect(query, (series) => series));
        if (read.sampleCount > messageSamplesMax) {
          throw new RefusedError(
            `exceeded sample limit (${messageSamplesMax}): ask for less, or accept STREAMED_XOR_CHUNKS`,
          );
        }
      }
      return reply
        .type('application/x-protobuf')
        .header('content-encoding', 'snappy')
        .send(Buffer.from(snappy.compress(encodeReadResponse(results))));
    }
    case undefined:
      throw new RefusedError(
        'server does not support any of the requested response types; supported: SAMPLES, STREAMED_XOR_CHUNKS',
      );
    default:
      return responseType satisfies never;
  }
}

/** Reads for one request, within its limit. */
class RemoteRead {
  readonly abort: AbortSignal;
  sampleCount = 0;
  readonly #source: SampleSource;
  readonly #samplesMax: number;

  constructor(source: SampleSource, samplesMax: number, abort: AbortSignal) {
    this.#source = source;
    this.#samplesMax = samplesMax;
    this.abort = abort;
  }

  /** Returns what `keep` makes of each series, sorted by labels. */
  async collect<Kept extends { readonly labels: SeriesSamples['labels'] }>(
    { startMs, endMs, matchers }: ReadQuery,
    keep: (series: SeriesSamples) => Kept,
  ): Promise<Kept[]> {
    const kept: Kept[] = [];
    // Ranges of selections are left-open.
    const range = { startMs: startMs - 1, endMs };
    for await (const series of this.#source.select({ matchers, ...range }, this.abort)) {
      this.sampleCount += series.values.length + (series.histograms?.values.length ?? 0);
      if (this.sampleCount > this.#samplesMax) {
        throw new LimitError(`the read has more than ${this.#samplesMax} samples`, 'query.samples_max');
      }
      if (kept.push(keep(series)) % seriesPerBreath === 0) {
        await setImmediate();
        this.abort.throwIfAborted();
      }
    }
    return kept.sort((a, b) => compareLabels(a.labels, b.labels));
  }
}

async function* pieces(results: readonly (readonly EncodedSeries[])[]): AsyncGenerator<Uint8Array> {
  let frames: Uint8Array[] = [];
  let byteCount = 0;
  for (const [index, result] of results.entries()) {
    for (const series of result) {
      for (const frame of frameSeries(series, index)) {
        frames.push(frame);
        byteCount += frame.length;
      }
      if (byteCount < pieceBytes) continue;
      yield Buffer.concat(frames);
      frames = [];
      byteCount = 0;
      await setImmediate();
    }
  }
  if (byteCount > 0) yield Buffer.concat(frames);
}

/** Plain text, as Go's http.Error. */
function answerFailure(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const status = error instanceof DecodeError ? 400 : failureStatus(error);
  if (status >= 500) request.log.error({ err: error }, 'a remote read failed');
  void reply
    .code(status)
    .type('text/plain; charset=utf-8')
    .send(`${errorMessage(error)}\n`);
}
