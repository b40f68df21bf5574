/**
 * GET requests of discoveries: over TCP, TLS or a unix socket, with the credentials of a configuration, bounded in time and size.
 *
 *   await httpGet({ url: new URL('http://inventory/targets'), client, timeoutMs: 10_000, bodyBytesMax: 1e6, abort })
 *     ->  { status: 200, headers: {...}, body: <bytes> }
 */
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http';
import type { RequestOptions } from 'node:https';
import type { HttpClientSettings, TlsSettings } from '#agent/scrape/scrape-settings.ts';
import { explained, openGet, optionsOfUrl, readAnswer } from '../containers/http-request.ts';

export interface HttpGet {
  readonly url: URL;
  /** The path of a unix socket; the URL's host is then only a name. */
  readonly socketPath?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly client: HttpClientSettings;
  readonly abort: AbortSignal;
}

export interface BoundedHttpGet extends HttpGet {
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

const redirectsMax = 5;

/** Rejects with an Error in words where there is no complete answer. The status may be any. */
export async function httpGet(get: BoundedHttpGet): Promise<HttpAnswer> {
  const timeout = AbortSignal.timeout(get.timeoutMs);
  const signal = AbortSignal.any([get.abort, timeout]);
  try {
    const response = await follow({ ...get, abort: signal });
    const body = await readAnswer(response, get.bodyBytesMax);
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (error) {
    get.abort.throwIfAborted();
    if (timeout.aborted) {
      throw new Error(`${get.url.host} did not answer completely within ${get.timeoutMs / 1000} s`, {
        cause: error,
      });
    }
    throw explained(error);
  }
}

/** Resolves when the headers of the answer are there. No timeout but `abort`. */
async function follow(get: HttpGet): Promise<IncomingMessage> {
  let url = get.url;
  for (let redirects = 0; ; redirects++) {
    const response = await ask({ ...get, url }, url.host === get.url.host);
    const { location } = response.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0) && location !== undefined;
    if (!isRedirect || !get.client.isFollowingRedirects) return response;
    response.destroy();
    if (redirects === redirectsMax)
      throw new Error(`${get.url.host} redirects more than ${redirectsMax} times`);
    url = new URL(location, url);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new Error(`${get.url.host} redirects to ${url.protocol}`);
    }
  }
}

/** The TLS options and headers of a configuration, for a request that is made elsewhere. Files are read again each time. */
export async function clientOptions(
  client: HttpClientSettings,
  protocol: string,
): Promise<RequestOptions & { headers: OutgoingHttpHeaders }> {
  return {
    ...(protocol === 'https:' && client.tls ? await tlsOptions(client.tls) : {}),
    headers: await credentialHeaders(client),
  };
}

/** Credentials go to the host that they are for, not to one that it redirects to. */
async function ask(get: HttpGet, isOwnHost: boolean): Promise<IncomingMessage> {
  const { url, client, socketPath } = get;
  const { headers, ...options } = await clientOptions(client, url.protocol);
  return await openGet(
    {
      ...optionsOfUrl(url),
      ...options,
      ...(socketPath === undefined ? {} : { socketPath }),
      basePath: '',
      // Between two polls a server may close a connection that is kept.
      agent: false,
      headers: { ...get.headers, ...(isOwnHost ? headers : {}) },
    },
    url.pathname + url.search,
    get.abort,
  );
}

/** Files are read again for each request: they are rotated. */
async function credentialHeaders(client: HttpClientSettings): Promise<OutgoingHttpHeaders> {
  const headers: OutgoingHttpHeaders = {};
  for (const [name, values] of Object.entries(client.headers ?? {})) headers[name] = [...values];
  const { basicAuth, authorization } = client;
  if (basicAuth) {
    const password = basicAuth.password ?? (await secretOf(basicAuth.passwordFile));
    headers.authorization = `Basic ${Buffer.from(`${basicAuth.username}:${password}`).toString('base64')}`;
  } else if (authorization) {
    const credentials = authorization.credentials ?? (await secretOf(authorization.credentialsFile));
    headers.authorization = `${authorization.type} ${credentials}`;
  }
  return headers;
}

async function secretOf(file: string | undefined): Promise<string> {
  return file === undefined ? '' : (await readFile(file, 'utf8')).trim();
}

async function tlsOptions(tls: TlsSettings): Promise<RequestOptions> {
  const part = async (text: string | undefined, file: string | undefined): Promise<string | undefined> =>
    text ?? (file === undefined ? undefined : await readFile(file, 'utf8'));
  const [ca, cert, key] = await Promise.all([
    part(tls.ca, tls.caFile),
    part(tls.cert, tls.certFile),
    part(tls.key, tls.keyFile),
  ]);
  return {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(tls.serverName && { servername: tls.serverName }),
    ...(tls.minVersion && { minVersion: tls.minVersion }),
    rejectUnauthorized: !tls.isInsecure,
  };
}
