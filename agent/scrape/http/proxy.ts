/**
 * HTTP proxies: plain requests name the whole URL to the proxy, TLS goes through a tunnel (RFC 9110, CONNECT).
 *
 *   CONNECT db.example:443 HTTP/1.1  ->  200, and the connection is one to db.example
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { ScrapeError } from '../scrape-error.ts';

/** Returns the proxy's URL. Throws ScrapeError where it is none of a kind that is supported. */
export function proxyTarget(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new ScrapeError('the proxy URL is neither http:// nor https://');
  }
  return url;
}

export function proxyHeaders({ username, password }: URL): Record<string, string> {
  if (username === '') return {};
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { 'proxy-authorization': `Basic ${Buffer.from(pair).toString('base64')}` };
}

/** Returns a connection to the URL's host through the proxy. Throws ScrapeError where the proxy refuses. */
export function openTunnel(proxy: URL, url: URL, signal: AbortSignal): Promise<Socket> {
  const authority = `${url.hostname}:${url.port || '443'}`;
  const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    send({
      protocol: proxy.protocol,
      hostname: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port,
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...proxyHeaders(proxy) },
      agent: false,
      signal,
    })
      .on('connect', (response, socket) => {
        if (response.statusCode === 200) {
          resolve(socket);
          return;
        }
        socket.destroy();
        reject(
          new ScrapeError(`the proxy ${proxy.host} answered ${response.statusCode} to CONNECT ${authority}`),
        );
      })
      .on('error', reject)
      .end();
  });
}
