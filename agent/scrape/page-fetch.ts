/**
 * Fetches a target's metrics page over HTTP: a URL comes in, the page's bytes and their format come out.
 *
 * Time and size are bounded while the answer arrives, the size after decompression too. Whatever goes wrong is a ScrapeError
 * that says what the target did and what to look at.
 */
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { errorMessage } from '#model/errors.ts';
import { acceptHeader, type NegotiatedFormat, negotiatedFormat } from './content-negotiation.ts';
import { shownUrl, type TargetClient } from './http/target-client.ts';
import type { PageBuffer } from './page-buffer.ts';
import { ScrapeError } from './scrape-error.ts';
import type { ScrapeSettings } from './scrape-settings.ts';

export interface PageFetch {
  readonly url: URL;
  readonly client: TargetClient;
  readonly settings: Pick<ScrapeSettings, 'timeoutMs' | 'protocols' | 'fallbackProtocol' | 'limits'>;
  /** Takes the page; must be clear. */
  readonly buffer: PageBuffer;
  readonly abort: AbortSignal;
}

/** The page was larger than limits.bodyBytes. */
export class PageTooLargeError extends ScrapeError {}

/** The largest page where there is no other limit: memory must not grow with what a stranger sends. */
const bodyBytesMax = 512 * 1024 * 1024;

/** Fetches the page into the buffer and returns its format. Throws ScrapeError; rejects with the reason of `abort`. */
export async function fetchPage(fetch: PageFetch): Promise<NegotiatedFormat> {
  const { url, client, settings } = fetch;
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), settings.timeoutMs);
  const signal = AbortSignal.any([fetch.abort, timeout.signal]);
  try {
    const headers = {
      accept: acceptHeader(settings.protocols),
      'accept-encoding': 'gzip',
      'user-agent': 'sonde',
      'x-prometheus-scrape-timeout-seconds': String(settings.timeoutMs / 1000),
    };
    const answer = await client.get(url, headers, signal);
    return await readPage(answer.response, shownUrl(answer.url), fetch, signal);
  } catch (error) {
    fetch.abort.throwIfAborted();
    if (timeout.signal.aborted) {
      throw new ScrapeError(
        `${shownUrl(url)} did not answer completely within ${settings.timeoutMs / 1000} s`,
      );
    }
    if (error instanceof ScrapeError) throw error;
    throw new ScrapeError(`${shownUrl(url)} could not be read: ${networkFact(error)}`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function readPage(
  response: IncomingMessage,
  shown: string,
  { settings, buffer }: PageFetch,
  signal: AbortSignal,
): Promise<NegotiatedFormat> {
  try {
    const status = response.statusCode!;
    if (status !== 200) {
      throw new ScrapeError(`${shown} answered ${status} ${STATUS_CODES[status] ?? ''}: ${advice(status)}`);
    }
    const format = negotiatedFormat(response.headers['content-type'], settings.fallbackProtocol, shown);
    const bytesMax = Math.min(settings.limits.bodyBytes || bodyBytesMax, bodyBytesMax);
    const tooLarge = `${shown} answered with more than ${bytesMax} bytes, the limit of a page`;
    if (Number(response.headers['content-length'] ?? 0) > bytesMax) throw new PageTooLargeError(tooLarge);
    const collect = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of source) {
        if (buffer.length + chunk.length > bytesMax) throw new PageTooLargeError(tooLarge);
        buffer.append(chunk);
      }
    };
    const encoding = (response.headers['content-encoding'] ?? 'identity').toLowerCase();
    if (encoding === 'gzip') await pipeline(response, createGunzip(), collect, { signal });
    else if (encoding === 'identity') await pipeline(response, collect, { signal });
    else throw new ScrapeError(`${shown} answered in the encoding ${encoding}, which was not asked for`);
    return format;
  } finally {
    // After the last byte this does nothing, and the connection is kept.
    response.destroy();
  }
}

function advice(status: number): string {
  if (status === 401 || status === 403) return 'check the credentials';
  return status >= 300 && status < 400 ? 'redirects are not followed' : 'check the path';
}

/** Node joins the failures of several addresses in an AggregateError without a message. */
function networkFact(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(errorMessage).join(', ') : errorMessage(error);
}
