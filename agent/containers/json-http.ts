/**
 * Asks an HTTP API for JSON, as one document or as a stream of lines: the Kubernetes API server over TLS, Docker's engine
 * over a unix socket. Answers are bounded; a status of 300 or more is an HttpStatusError with what the server says.
 */
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { JsonLines } from './json-lines.ts';

export type EndpointOptions = Omit<RequestOptions, 'headers' | 'path'> & {
  headers?: OutgoingHttpHeaders;
  /** Comes before each path, such as /k8s/clusters/c-1. */
  basePath?: string;
};

/** How the server is reached: asked before each request, as tokens and certificates change. */
export interface HttpEndpoint {
  /** `protocol`, `host` and `port`, or `socketPath`; TLS options; `headers` with the authorization. */
  requestOptions(): Promise<EndpointOptions>;
}

/** What a URL says of how its server is reached. Its query is left out. */
export function optionsOfUrl(url: URL): EndpointOptions {
  const { protocol, hostname, port, auth } = urlToHttpOptions(url);
  return {
    protocol: protocol!,
    host: hostname!,
    ...(port ? { port } : {}),
    ...(auth ? { auth } : {}),
    basePath: url.pathname.replace(/\/+$/, ''),
  };
}

/** Of one answer. */
export interface AnswerBounds {
  readonly bytesMax: number;
  readonly msMax: number;
}

export class HttpStatusError extends Error {
  readonly status: number;
  /** What the server says besides; may be ''. */
  readonly detail: string;
  /** From Retry-After; 0 where the server does not say. */
  readonly retryAfterMs: number;
  constructor(status: number, detail: string, retryAfterMs = 0) {
    super(detail === '' ? `status ${status}` : `status ${status}: ${detail}`);
    this.name = 'HttpStatusError';
    this.status = status;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

export interface JsonAnswer {
  readonly headers: IncomingMessage['headers'];
  readonly body: unknown;
}

export interface LineStream {
  readonly onOpen?: () => void;
  readonly onValue: (value: unknown) => void;
  /** The stream is given up when it lasts longer. */
  readonly durationMsMax?: number;
  /** The server may send not even a status before there is something to say: podman's events. */
  readonly isLate?: boolean;
  readonly signal: AbortSignal;
}

/** etcd keeps no object above 1.5 MiB as shipped; escapes and the event around it need some more. */
const lineBytesMax = 8 * 1024 * 1024;
const answerMsMax = 30_000;
/** A page of 250 pods has some five megabytes. */
const boundsDefault: AnswerBounds = { bytesMax: 64 * 1024 * 1024, msMax: answerMsMax };
/** Of what a server says about an error. */
const detailCharactersMax = 500;
const errorBytesMax = 64 * 1024;
const retryAfterMsMax = 60_000;
/** A peer that is gone without a word is noticed by the kernel's probes, which begin after so long a silence. */
const keepAliveMs = 30_000;
const userAgent = 'Sonde';

/** An answer has more bytes than its bounds. */
export class AnswerSizeError extends Error {}

/** Resolves with the parsed body. Rejects with HttpStatusError, AnswerSizeError, the socket's error, or Error for what is no JSON. */
export async function getJson(
  endpoint: HttpEndpoint,
  path: string,
  signal: AbortSignal,
  { bytesMax, msMax }: AnswerBounds = boundsDefault,
): Promise<JsonAnswer> {
  const timeout = AbortSignal.timeout(msMax);
  try {
    const response = await ask(endpoint, path, AbortSignal.any([signal, timeout]));
    const body = await readBody(response, bytesMax);
    if (body.length > bytesMax) throw new AnswerSizeError(`the answer is larger than ${bytesMax} bytes`);
    return { headers: response.headers, body: body.length === 0 ? undefined : parseBody(body, path) };
  } catch (error) {
    throw timeout.aborted && !signal.aborted ? noAnswer(error, msMax) : explained(error);
  }
}

/** Resolves when the server ends the stream or the time is over. Rejects as getJson does, and with what onValue throws. */
export async function streamJson(endpoint: HttpEndpoint, path: string, stream: LineStream): Promise<void> {
  const lines = new JsonLines(lineBytesMax);
  const late = new AbortController();
  const over = new AbortController();
  const lateTimer = stream.isLate ? undefined : setTimeout(() => late.abort(), answerMsMax);
  const { durationMsMax } = stream;
  const overTimer = durationMsMax === undefined ? undefined : setTimeout(() => over.abort(), durationMsMax);
  try {
    const response = await ask(endpoint, path, AbortSignal.any([stream.signal, late.signal, over.signal]));
    clearTimeout(lateTimer);
    stream.onOpen?.();
    for await (const chunk of response as AsyncIterable<Buffer>) {
      for (const value of lines.push(chunk)) stream.onValue(value);
    }
  } catch (error) {
    if (stream.signal.aborted || !(late.signal.aborted || over.signal.aborted)) throw explained(error);
    if (late.signal.aborted) throw noAnswer(error, answerMsMax);
  } finally {
    clearTimeout(lateTimer);
    clearTimeout(overTimer);
  }
}

/** Node says "aborted" of a server that goes away within an answer. */
function explained(error: unknown): unknown {
  const isBroken = error instanceof Error && error.message === 'aborted' && 'code' in error;
  return isBroken ? new Error('the connection broke within the answer', { cause: error }) : error;
}

function noAnswer(cause: unknown, msMax: number): Error {
  return new Error(`there was no complete answer within ${msMax} ms`, { cause });
}

async function ask(endpoint: HttpEndpoint, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { headers, basePath = '', ...options } = await endpoint.requestOptions();
  const request = options.protocol === 'https:' ? requestHttps : requestHttp;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({
      ...options,
      method: 'GET',
      path: basePath + path,
      headers: { 'user-agent': userAgent, ...headers, accept: 'application/json' },
      signal,
    });
    outgoing.on('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
    // `on`, not `once`: an error after the answer has begun reaches the reader of the answer.
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    outgoing.end();
  });
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const body = await readBody(response, errorBytesMax);
  throw new HttpStatusError(status, errorDetail(body), retryAfterMs(response.headers['retry-after']));
}

/** Returns the body, or somewhat more than `bytesMax` of a larger one: the rest is not read. */
async function readBody(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(chunks, bytes);
}

function parseBody(body: Buffer, path: string): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new Error(`the answer to ${path} is no JSON`, { cause: error });
  }
}

/** A Kubernetes Status and Docker's errors both have `message`. */
function errorDetail(body: Buffer): string {
  const text = body.toString('utf8').trim();
  try {
    const message = (JSON.parse(text) as { message?: unknown } | null)?.message;
    if (typeof message === 'string') return message.slice(0, detailCharactersMax);
  } catch {
    // A proxy's page: its text is shown as it is.
  }
  return text.slice(0, detailCharactersMax);
}

function retryAfterMs(header: string | undefined): number {
  const seconds = Number(header ?? '');
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1000, retryAfterMsMax) : 0;
}
