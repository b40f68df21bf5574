/**
 * The direct transport: the same bytes as on the bus, posted to a collector's OTLP/HTTP and remote-write endpoints.
 * Retries follow OTLP 1.5 "Retryable Response Codes" and remote write 2.0 "Retries & Backoff": for ever, until abort.
 *
 *   send(envelope)  ->  POST /v1/logs, zstd  ->  200 {}  ->  { rejected: 0, reason: '' }
 */
import { promisify } from 'node:util';
import { constants, gzip, zstdCompress } from 'node:zlib';
import snappy from 'snappyjs';
import { errorMessage, RefusedError } from '#model/errors.ts';
import { freeBytes } from '#model/free-bytes.ts';
import { tenantHeader } from '#model/tenant.ts';
import { Backoff, pause } from '#wire/backoff.ts';
import { contentTypeOtlp, contentTypeRemoteWrite2, httpHeaderBatchId, receivePaths } from '#wire/bus.ts';
import type { Delivery, Envelope, Transport } from '#wire/envelope.ts';
import { readPartialSuccess, readStatusMessage } from './export-response.ts';
import { HttpPoster, type PostAnswer } from './http-post.ts';

export type DirectCompression = 'zstd' | 'gzip' | 'none';

export interface DirectTransportOptions {
  /** Base URL of the collector (or of any OTLP/HTTP and remote write receiver), for example http://127.0.0.1:4318. */
  readonly url: string;
  /** Of OTLP bodies. Remote write is always snappy, as its specification demands. */
  readonly compression?: DirectCompression;
  /** Sent as `Authorization: Bearer`. */
  readonly token?: string | undefined;
  readonly requestTimeoutMs?: number;
  readonly log: { warn(fields: object, message: string): void };
}

const requestTimeoutMsDefault = 30_000;
const backoffOptions = { firstMs: 200, maxMs: 10_000 };
/** A receiver that asks for more patience than this is asked again all the same. */
const retryAfterMsMax = 60_000;
/** Of the server's own words in our errors. */
const reasonLengthMax = 500;
const compressGzip = promisify(gzip);
const compressZstd = promisify(zstdCompress);
/** Half of the time of Node's defaults: level 3, and an output that grows by 16 KiB. On log lines level 1 is no larger. */
const zstdOptions = { chunkSize: 512 * 1024, params: { [constants.ZSTD_c_compressionLevel]: 1 } };

/** Returns at once: the collector need not be up yet. Throws TypeError where `url` is none. */
export function createDirectTransport(options: DirectTransportOptions): Transport {
  return new DirectTransport(options);
}

class DirectTransport implements Transport {
  readonly #options: DirectTransportOptions;
  readonly #poster: HttpPoster;
  /** Why sends wait now, by send: the first of them is shown. */
  readonly #troubles = new Map<symbol, string>();

  constructor(options: DirectTransportOptions) {
    this.#options = options;
    this.#poster = new HttpPoster(new URL(options.url), options.requestTimeoutMs ?? requestTimeoutMsDefault);
  }

  async send(envelope: Envelope, abort?: AbortSignal): Promise<Delivery> {
    abort?.throwIfAborted();
    const { headers, body } = await this.#request(envelope);
    const backoff = new Backoff(backoffOptions);
    const id = Symbol(envelope.batchId);
    try {
      for (;;) {
        let trouble: string;
        let leastMs = 0;
        try {
          const answer = await this.#poster.post(receivePaths[envelope.signal], headers, body, abort);
          if (answer.status >= 200 && answer.status < 300) {
            if (answer.isRequestWritten) freeBytes(body);
            return delivery(envelope, answer);
          }
          if (!isRetryable(envelope, answer.status)) throw this.#refusal(envelope, answer);
          trouble = `${answer.status} ${answerWords(answer)}`.trimEnd();
          leastMs = retryAfterMs(answer);
        } catch (error) {
          if (error instanceof RefusedError || abort?.aborted) throw error;
          trouble = errorMessage(error) || ((error as NodeJS.ErrnoException).code ?? 'the connection failed');
        }
        if (this.#troubles.get(id) !== trouble) {
          this.#options.log.warn(
            { url: this.#options.url, batchId: envelope.batchId },
            `the collector did not take ${envelope.signal}: ${trouble}; retrying`,
          );
        }
        this.#troubles.set(id, trouble);
        await pause(backoff.nextMs(leastMs), abort);
      }
    } finally {
      this.#troubles.delete(id);
    }
  }

  state(): string {
    for (const trouble of this.#troubles.values()) return `collector ${this.#options.url}: ${trouble}`;
    return 'ok';
  }

  async close(): Promise<void> {
    this.#poster.close();
  }

  async #request(envelope: Envelope): Promise<{ headers: Record<string, string>; body: Uint8Array }> {
    const { signal, tenant, batchId, bytes } = envelope;
    const headers: Record<string, string> = {
      'user-agent': 'sonde-agent',
      [tenantHeader]: tenant,
      [httpHeaderBatchId]: batchId,
    };
    if (this.#options.token !== undefined) headers.authorization = `Bearer ${this.#options.token}`;
    if (signal === 'remote_write') {
      headers['content-type'] = contentTypeRemoteWrite2;
      headers['content-encoding'] = 'snappy';
      headers['x-prometheus-remote-write-version'] = '2.0.0';
      return { headers, body: snappy.compress(bytes) };
    }
    headers['content-type'] = contentTypeOtlp;
    const compression = this.#options.compression ?? 'zstd';
    // Copied: the body is let go of when it is sent, and the envelope's bytes are not ours.
    if (compression === 'none') return { headers, body: new Uint8Array(bytes) };
    headers['content-encoding'] = compression;
    return {
      headers,
      body: await (compression === 'zstd' ? compressZstd(bytes, zstdOptions) : compressGzip(bytes)),
    };
  }

  #refusal({ signal, batchId, bytes }: Envelope, answer: PostAnswer): RefusedError {
    return new RefusedError(
      `${this.#options.url}${receivePaths[signal]} refused batch ${batchId} (${signal}, ${bytes.length} bytes) ` +
        `with ${answer.status}: ${answerWords(answer)}`,
      answer.status,
    );
  }
}

/** What the answer says, and what a person should look at. */
function answerWords(answer: PostAnswer): string {
  const { location } = answer.headers;
  if (location !== undefined) return `it redirects to ${location}: set that URL`;
  const hint = answer.status === 404 || answer.status === 405 ? ' (is the URL right?)' : '';
  return `${serverWords(answer)}${hint}`;
}

/** Statuses that speak of the bytes themselves: repeating them cannot help. */
const refusals: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/**
 * What is not the bytes' fault waits: a wrong URL, a missing token or a redirect is mended by a person, and the files
 * keep the lines meanwhile. Remote write asks for retries on every 5xx; OTLP forbids a 500 to be repeated, as the body
 * may be what breaks the receiver.
 */
function isRetryable({ signal }: Envelope, status: number): boolean {
  if (status === 500) return signal === 'remote_write';
  return !refusals.has(status);
}

function delivery({ signal }: Envelope, answer: PostAnswer): Delivery {
  const isProtobuf = answer.headers['content-type']?.startsWith(contentTypeOtlp) === true;
  if (signal === 'remote_write' || !isProtobuf) return { rejected: 0, reason: '' };
  const { rejected, message } = readPartialSuccess(answer.body);
  return { rejected, reason: rejected === 0 ? '' : message };
}

/** What the server says about it: a Status for OTLP, plain text elsewhere. */
function serverWords({ headers, body }: PostAnswer): string {
  const isProtobuf = headers['content-type']?.startsWith(contentTypeOtlp) === true;
  const words = isProtobuf ? readStatusMessage(body) : body.toString('utf8');
  return words.trim().slice(0, reasonLengthMax);
}

/** Retry-After is seconds or a date (RFC 9110 10.2.3). */
function retryAfterMs({ headers }: PostAnswer): number {
  const value = headers['retry-after'];
  if (value === undefined) return 0;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), retryAfterMsMax) : 0;
}
