/**
 * Sends one request until it is answered for good, as the protocols ask of a client: the same bytes and the same
 * headers again after a time-out, a broken connection and what may pass; anything else is the receiver's last word.
 *
 * OTLP 1.x, "OTLP/HTTP Response": 429, 502, 503 and 504 are repeated, other 4xx and 5xx must not be.
 * Remote write 2.0, "Retries & Backoff": 5xx are repeated, 429 may be, other 4xx must not be.
 */
import { errorMessage } from '#model/errors.ts';
import { Backoff, pause } from '#wire/backoff.ts';

export interface PushRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  readonly repeats: (status: number) => boolean;
}

export interface PushAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** At most answerBytesMax. */
  readonly body: Buffer;
}

const tryTimeoutMs = 30_000;
const answerBytesMax = 64 * 1024;
const retryAfterMsMax = 30_000;

export function otlpRepeats(status: number): boolean {
  return [429, 502, 503, 504].includes(status);
}

export function remoteWriteRepeats(status: number): boolean {
  return status === 429 || status >= 500;
}

/** `onRetry` hears of each try that comes to nothing, with the reason. Rejects with the abort reason only. */
export async function push(
  request: PushRequest,
  abort: AbortSignal,
  onRetry: (reason: string) => void,
): Promise<PushAnswer> {
  const backoff = new Backoff({ firstMs: 100, maxMs: 5000 });
  for (;;) {
    let leastMs = 0;
    try {
      const answer = await post(request, abort);
      if (!request.repeats(answer.status)) return answer;
      leastMs = retryAfterMs(answer.headers.get('retry-after'));
      onRetry(`${answer.status} ${answer.body.toString('utf8', 0, 200)}`);
    } catch (error) {
      if (abort.aborted) throw abort.reason;
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      onRetry(`${errorMessage(error)}${cause}`);
    }
    await pause(backoff.nextMs(leastMs), abort);
  }
}

async function post({ url, headers, body }: PushRequest, abort: AbortSignal): Promise<PushAnswer> {
  const response = await fetch(url, {
    method: 'POST',
    headers,
    body: body as Uint8Array<ArrayBuffer>,
    // A redirect would carry the load, and the token, to somebody else.
    redirect: 'manual',
    signal: AbortSignal.any([abort, AbortSignal.timeout(tryTimeoutMs)]),
  });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    if (length < answerBytesMax) chunks.push(chunk.subarray(0, answerBytesMax - length));
    length += chunk.length;
  }
  return { status: response.status, headers: response.headers, body: Buffer.concat(chunks) };
}

/** Seconds, as receivers of telemetry send it; a date counts as nothing. */
function retryAfterMs(header: string | null): number {
  const seconds = Number(header ?? 0);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds * 1000, 0), retryAfterMsMax) : 0;
}
