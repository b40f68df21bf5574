/**
 * Asks an HTTP API for JSON, as one document or as a stream of lines: the Kubernetes API server over TLS, Docker's engine
 * over a unix socket. Answers are bounded; a status of 300 or more is an HttpStatusError with what the server says.
 */
import type { IncomingMessage } from 'node:http';
import {
  type AnswerBounds,
  explained,
  type HttpEndpoint,
  openGet,
  readAnswer,
  readStart,
} from './http-request.ts';
import { JsonLines } from './json-lines.ts';

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
    const body = await readAnswer(response, bytesMax);
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

function noAnswer(cause: unknown, msMax: number): Error {
  return new Error(`there was no complete answer within ${msMax} ms`, { cause });
}

async function ask(endpoint: HttpEndpoint, path: string, signal: AbortSignal): Promise<IncomingMessage> {
  const { headers, ...options } = await endpoint.requestOptions();
  const accepting = { ...options, headers: { ...headers, accept: 'application/json' } };
  const response = await openGet(accepting, path, signal);
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return response;
  const body = await readStart(response, errorBytesMax);
  throw new HttpStatusError(status, errorDetail(body), retryAfterMs(response.headers['retry-after']));
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
