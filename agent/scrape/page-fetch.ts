/**
 * Fetches a target's metrics page over HTTP: a URL comes in, the page's bytes and their format come out.
 *
 * Time and size are bounded while the answer arrives, the size after decompression too. Whatever goes wrong is a ScrapeError
 * that says what the target did and what to look at. A connection is used for one scrape: intervals are longer than most
 * servers keep one open, and a race with its closing would look like a target that is down.
 */
import { request as httpRequest, type IncomingMessage, STATUS_CODES } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { errorMessage } from '#model/errors.ts';
import type { ExpositionFormat } from './exposition-parser.ts';
import type { PageBuffer } from './page-buffer.ts';

/** A scrape that failed, in words for a person. */
export class ScrapeError extends Error {
  readonly code = 'SONDE_SCRAPE';
  constructor(fact: string, options?: ErrorOptions) {
    super(fact, options);
    this.name = 'ScrapeError';
  }
}

export interface PageFetch {
  readonly url: URL;
  readonly timeoutMs: number;
  /** Of the page after decompression. */
  readonly bodyBytesMax: number;
  /** Takes the page; must be clear. */
  readonly buffer: PageBuffer;
  readonly abort: AbortSignal;
}

const redirectsMax = 5;
const accept =
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,' +
  'application/openmetrics-text;version=1.0.0;q=0.5,' +
  'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.1';
/** Content types that are certainly something else. Others are tried as text: old exporters send all sorts. */
const foreignTypes =
  /^(?:text\/(?:html|css|xml|javascript)|image\/.*|application\/(?:json|.*\+json|xml|.*protobuf))$/;

/** Fetches the page into the buffer and returns its format. Throws ScrapeError; rejects with the reason of `abort`. */
export async function fetchPage(fetch: PageFetch): Promise<ExpositionFormat> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), fetch.timeoutMs);
  try {
    return await follow(fetch, AbortSignal.any([fetch.abort, timeout.signal]));
  } catch (error) {
    fetch.abort.throwIfAborted();
    if (timeout.signal.aborted) {
      throw new ScrapeError(
        `${shownUrl(fetch.url)} did not answer completely within ${fetch.timeoutMs / 1000} s`,
      );
    }
    if (error instanceof ScrapeError) throw error;
    throw new ScrapeError(`${shownUrl(fetch.url)} could not be read: ${networkFact(error)}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Returns the URL without its user and password. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

async function follow(fetch: PageFetch, signal: AbortSignal): Promise<ExpositionFormat> {
  let url = fetch.url;
  for (let redirects = 0; redirects <= redirectsMax; redirects++) {
    const response = await open(url, fetch.timeoutMs, signal);
    const status = response.statusCode!;
    const location = response.headers.location;
    if (status < 300 || status >= 400 || location === undefined)
      return await readPage(response, url, fetch, signal);
    response.destroy();
    const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (next?.protocol !== 'http:' && next?.protocol !== 'https:') {
      throw new ScrapeError(
        `${shownUrl(url)} redirects to ${JSON.stringify(location)}, which is no http URL`,
      );
    }
    // Credentials are for the host they were configured for.
    if (next.host === url.host) Object.assign(next, { username: url.username, password: url.password });
    url = next;
  }
  throw new ScrapeError(`${shownUrl(fetch.url)} redirects more than ${redirectsMax} times`);
}

function open(url: URL, timeoutMs: number, signal: AbortSignal): Promise<IncomingMessage> {
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const headers = {
    accept,
    'accept-encoding': 'gzip',
    'user-agent': 'sonde',
    'x-prometheus-scrape-timeout-seconds': String(timeoutMs / 1000),
  };
  return new Promise((resolve, reject) => {
    send(url, { headers, signal, agent: false }, resolve).on('error', reject).end();
  });
}

async function readPage(
  response: IncomingMessage,
  url: URL,
  fetch: PageFetch,
  signal: AbortSignal,
): Promise<ExpositionFormat> {
  const shown = shownUrl(url);
  try {
    const status = response.statusCode!;
    if (status !== 200) {
      throw new ScrapeError(`${shown} answered ${status} ${STATUS_CODES[status] ?? ''}: check the path`);
    }
    const format = formatOf(response.headers['content-type'], shown);
    const tooLarge = `${shown} answered with more than ${fetch.bodyBytesMax} bytes, the limit of a page`;
    if (Number(response.headers['content-length'] ?? 0) > fetch.bodyBytesMax) throw new ScrapeError(tooLarge);
    const collect = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const chunk of source) {
        if (fetch.buffer.length + chunk.length > fetch.bodyBytesMax) throw new ScrapeError(tooLarge);
        fetch.buffer.append(chunk);
      }
    };
    const encoding = (response.headers['content-encoding'] ?? 'identity').toLowerCase();
    if (encoding === 'gzip') await pipeline(response, createGunzip(), collect, { signal });
    else if (encoding === 'identity') await pipeline(response, collect, { signal });
    else throw new ScrapeError(`${shown} answered in the encoding ${encoding}, which was not asked for`);
    return format;
  } finally {
    response.destroy();
  }
}

function formatOf(contentType: string | undefined, shown: string): ExpositionFormat {
  const type = (contentType ?? '').split(';')[0]!.trim().toLowerCase();
  if (type === 'application/openmetrics-text') return 'openmetrics';
  if (foreignTypes.test(type)) {
    throw new ScrapeError(`${shown} answered ${type}, not a metrics format: check the path`);
  }
  return 'text';
}

/** Node joins the failures of several addresses in an AggregateError without a message. */
function networkFact(error: unknown): string {
  return error instanceof AggregateError ? error.errors.map(errorMessage).join(', ') : errorMessage(error);
}
