/**
 * One HTTP POST over kept-alive connections: bytes out, a short answer back. The answer is cut at a limit, because it
 * comes from whatever listens there; redirects are not followed, because they would move telemetry to another host.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface PostAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** At most answerBytesMax; what follows is thrown away. */
  readonly body: Buffer;
  /** The system has taken the whole request, which can be let go of; false where the answer came before. */
  readonly isRequestWritten: boolean;
}

/** An error message fits; a page that some proxy answers with need not. */
export const answerBytesMax = 64 * 1024;
const idleSocketsMax = 8;

export class HttpPoster {
  readonly #url: URL;
  readonly #timeoutMs: number;
  readonly #agent: HttpAgent | HttpsAgent;

  /** `timeoutMs` bounds each request from its start to the last byte of the answer. */
  constructor(url: URL, timeoutMs: number) {
    this.#url = url;
    this.#timeoutMs = timeoutMs;
    const agentOptions = { keepAlive: true, maxFreeSockets: idleSocketsMax };
    this.#agent = url.protocol === 'https:' ? new HttpsAgent(agentOptions) : new HttpAgent(agentOptions);
  }

  /** Rejects with the socket's error, a time-out, or the abort reason. `path` is added to the base URL's path. */
  async post(
    path: string,
    headers: Record<string, string>,
    body: Uint8Array,
    abort?: AbortSignal,
  ): Promise<PostAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal = abort === undefined ? timeout : AbortSignal.any([abort, timeout]);
    try {
      return await this.#exchange(path, headers, body, signal);
    } catch (error) {
      if (abort?.aborted) throw abort.reason;
      if (timeout.aborted) throw new Error(`no answer within ${this.#timeoutMs} ms`, { cause: error });
      throw error;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #exchange(
    path: string,
    headers: Record<string, string>,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<PostAnswer> {
    const send = this.#url.protocol === 'https:' ? httpsRequest : httpRequest;
    return new Promise((resolve, reject) => {
      const request: ClientRequest = send(
        new URL(this.#url.pathname.replace(/\/+$/, '') + path, this.#url),
        {
          method: 'POST',
          agent: this.#agent,
          headers: { ...headers, 'content-length': String(body.byteLength) },
          signal,
        },
        (response) => {
          readAnswer(response).then(
            (answer) => resolve({ ...answer, isRequestWritten: request.writableFinished }),
            reject,
          );
          // A server may answer before it has read the body (413): the rest of it has nowhere to go.
          response.once('end', () => {
            if (!request.writableFinished) request.destroy();
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
}

async function readAnswer(response: IncomingMessage): Promise<Omit<PostAnswer, 'isRequestWritten'>> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    if (length < answerBytesMax) chunks.push(chunk.subarray(0, answerBytesMax - length));
    length += chunk.length;
    if (length > answerBytesMax) break;
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}
