/**
 * HTTP proxies: plain requests name the whole URL to the proxy, TLS goes through a tunnel (RFC 9110, CONNECT). A SOCKS5
 * proxy (RFC 1928) makes a connection for both, and resolves the host's name itself.
 *
 *   CONNECT db.example:443 HTTP/1.1  ->  200, and the connection is one to db.example
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { SocksClient } from 'socks';
import { errorMessage } from '#model/errors.ts';
import { ScrapeError } from '../scrape-error.ts';

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

export function isSocks(proxy: URL): boolean {
  return proxy.protocol.startsWith('socks5');
}

/** Returns a connection to the URL's host through a SOCKS5 proxy. Throws ScrapeError where the proxy refuses. */
export async function openSocks(proxy: URL, url: URL, signal: AbortSignal): Promise<Socket> {
  const port = Number(proxy.port || socksPort);
  const host = proxy.hostname.replace(/^\[(.*)\]$/, '$1');
  const socket = connect({ host, port, signal });
  // Until the proxy has answered, and for what is told twice.
  socket.on('error', () => undefined);
  const abort = (): void => void socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  try {
    await connected(socket);
    const made = await SocksClient.createConnection({
      proxy: {
        host,
        port,
        type: 5,
        ...(proxy.username !== '' && {
          userId: decodeURIComponent(proxy.username),
          password: decodeURIComponent(proxy.password),
        }),
      },
      command: 'connect',
      destination: {
        host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
        port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
      },
      existing_socket: socket,
    });
    return made.socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    throw new ScrapeError(`the SOCKS5 proxy ${host}:${port} refuses: ${errorMessage(error)}`, {
      cause: error,
    });
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

const socksPort = '1080';

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket
      .once('connect', resolve)
      .once('error', reject)
      .once('close', () => reject(new Error('closed')));
  });
}
