/**
 * One GET request over TCP, TLS or a unix socket, and its answer within bounds: what all that asks an API over HTTP goes by.
 *
 *   openGet({ ...optionsOfUrl(new URL('https://kube:6443')), ca, headers }, '/api/v1/pods', signal)  ->  an answer of any status
 */
import { type IncomingMessage, type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { type RequestOptions, request as requestHttps } from 'node:https';
import { urlToHttpOptions } from 'node:url';

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

/** An answer has more bytes than its bounds. */
export class AnswerSizeError extends Error {}

/** A peer that is gone without a word is noticed by the kernel's probes, which begin after so long a silence. */
const keepAliveMs = 30_000;
const userAgent = 'Sonde';

/** Resolves when the headers of the answer are there; the caller reads the body, or destroys it. No timeout but `signal`. */
export async function openGet(
  { headers, basePath = '', ...options }: EndpointOptions,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const request = options.protocol === 'https:' ? requestHttps : requestHttp;
  return await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = request({
      ...options,
      method: 'GET',
      path: basePath + path,
      headers: { 'user-agent': userAgent, ...headers },
      signal,
    });
    outgoing.on('socket', (socket) => socket.setKeepAlive(true, keepAliveMs));
    // `on`, not `once`: an error after the answer has begun reaches the reader of the answer.
    outgoing.on('error', reject);
    outgoing.on('response', resolve);
    outgoing.end();
  });
}

/** Returns the whole body. Rejects with AnswerSizeError before it has read much more than `bytesMax`. */
export async function readAnswer(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const body = await readStart(response, bytesMax);
  if (body.length > bytesMax) throw new AnswerSizeError(`the answer is larger than ${bytesMax} bytes`);
  return body;
}

/** Returns the body, or somewhat more than `bytesMax` of a larger one: the rest is not read. */
export async function readStart(response: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > bytesMax) break;
  }
  return Buffer.concat(chunks, bytes);
}

/** Node says "aborted" of a server that goes away within an answer. */
export function explained(error: unknown): unknown {
  const isBroken = error instanceof Error && error.message === 'aborted' && 'code' in error;
  return isBroken ? new Error('the connection broke within the answer', { cause: error }) : error;
}
