/**
 * Opens requests to one kind of server: with its TLS settings, over a proxy where there is one, over connections that stay
 * open between scrapes. A request that finds its kept connection closed is sent again over a new one, once: nothing of an
 * answer has come then, and neither a GET nor asking for a token twice does harm.
 */
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http';
import {
  Agent as HttpsAgent,
  type RequestOptions as HttpsRequestOptions,
  request as httpsRequest,
} from 'node:https';
import type { Socket } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { errorMessage } from '#model/errors.ts';
import { ScrapeError } from '../scrape-error.ts';
import type { TlsSettings } from '../scrape-settings.ts';
import type { FileTexts } from './file-texts.ts';
import { isSocks, openSocks, openTunnel, proxyHeaders } from './proxy.ts';
import type { ProxyChoice } from './proxy-choice.ts';

/** A connection that nobody used for so long is closed: five scrapes at an interval of a minute. */
const idleMsMax = 5 * 60_000;
const agentOptions = { keepAlive: true, scheduling: 'lifo', timeout: idleMsMax } as const;

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** Node hands these on to tls.connect, its types do not say so. */
interface TunnelOptions extends HttpsRequestOptions {
  secureContext: SecureContext;
  socket?: Socket;
}

interface TlsState {
  /** What it was made of. */
  readonly texts: string;
  readonly context: SecureContext;
  readonly agent: HttpsAgent;
}

export class Connections {
  readonly #tls: TlsSettings | undefined;
  readonly #proxies: ProxyChoice;
  readonly #files: FileTexts;
  readonly #httpAgent = new HttpAgent(agentOptions);
  #tlsState: TlsState | undefined;

  constructor(tls: TlsSettings | undefined, proxies: ProxyChoice, files: FileTexts) {
    this.#tls = tls;
    this.#proxies = proxies;
    this.#files = files;
  }

  /** Returns the answer, whose body is still to come. Throws ScrapeError on settings that cannot be used. */
  async open(url: URL, request: HttpRequest): Promise<IncomingMessage> {
    const sent = await this.#send(url, request, false);
    try {
      return await answerTo(sent, request.body);
    } catch (error) {
      if (!sent.reusedSocket || !isClosedConnection(error)) throw error;
      return await answerTo(await this.#send(url, request, true), request.body);
    }
  }

  /** Closes the connections that nobody uses now, and keeps none any more. */
  close(): void {
    for (const agent of [this.#httpAgent, this.#tlsState?.agent]) if (agent) closeIdle(agent);
  }

  async #send(url: URL, request: HttpRequest, isNew: boolean): Promise<ClientRequest> {
    const proxy = this.#proxies.proxyFor(url);
    if (proxy) return await this.#sendOverProxy(url, proxy, request, isNew);
    const options = requestOptions(request);
    if (url.protocol !== 'https:') {
      return httpRequest(url, { ...options, agent: isNew ? false : this.#httpAgent });
    }
    const { agent, context } = await this.#secure();
    const secure: TunnelOptions = {
      ...options,
      ...this.#peerOptions(),
      secureContext: context,
      agent: isNew ? false : agent,
    };
    return httpsRequest(url, secure);
  }

  async #sendOverProxy(url: URL, proxy: URL, request: HttpRequest, isNew: boolean): Promise<ClientRequest> {
    const options = requestOptions(request);
    if (url.protocol !== 'https:' && isSocks(proxy)) {
      const socket = await openSocks(proxy, url, request.signal);
      // Without an agent, or it would connect by itself.
      return httpRequest(url, { ...options, createConnection: () => socket });
    }
    if (url.protocol !== 'https:') {
      const { username, password } = url;
      const plain = new URL(url);
      plain.username = plain.password = '';
      const send = proxy.protocol === 'https:' ? httpsRequest : httpRequest;
      return send(proxy, {
        ...options,
        headers: { ...options.headers, host: url.host, ...proxyHeaders(proxy) },
        path: plain.href,
        ...(username === ''
          ? { auth: null }
          : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
        agent: isNew || proxy.protocol === 'https:' ? false : this.#httpAgent,
      });
    }
    const { context } = await this.#secure();
    const tunnel = await (isSocks(proxy) ? openSocks : openTunnel)(proxy, url, request.signal);
    // A tunnel is used once: kept ones would have to be told apart by what is behind them.
    const secure: TunnelOptions = {
      ...options,
      ...this.#peerOptions(),
      secureContext: context,
      socket: tunnel,
      agent: false,
    };
    return httpsRequest(url, secure);
  }

  #peerOptions(): { servername?: string; rejectUnauthorized: boolean } {
    const { serverName, isInsecure = false } = this.#tls ?? {};
    return {
      rejectUnauthorized: !isInsecure,
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
  }

  /** Returns the TLS context, made anew where one of its files has changed. */
  async #secure(): Promise<TlsState> {
    const { ca, caFile, cert, certFile, key, keyFile, minVersion } = this.#tls ?? {};
    const files = this.#files;
    const options: SecureContextOptions = {
      ca: await files.textOrFile(ca, caFile),
      cert: await files.textOrFile(cert, certFile),
      key: await files.textOrFile(key, keyFile),
      minVersion,
    };
    const texts = JSON.stringify(options);
    if (this.#tlsState?.texts === texts) return this.#tlsState;
    let context: SecureContext;
    try {
      context = createSecureContext(options);
    } catch (error) {
      const named = [caFile, certFile, keyFile].filter((path) => path !== undefined).join(', ');
      throw new ScrapeError(
        `the TLS settings${named === '' ? '' : ` (${named})`} cannot be used: ${errorMessage(error)}`,
        { cause: error },
      );
    }
    // Connections of before finish what they do, and are not used again.
    if (this.#tlsState) closeIdle(this.#tlsState.agent);
    this.#tlsState = { texts, context, agent: new HttpsAgent(agentOptions) };
    return this.#tlsState;
  }
}

function requestOptions({ method, headers, signal }: HttpRequest): RequestOptions {
  return { method, headers: headers as Record<string, string | string[]>, signal };
}

function answerTo(request: ClientRequest, body: string | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve).on('error', reject).end(body);
  });
}

function isClosedConnection(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

function closeIdle(agent: HttpAgent): void {
  agent.maxFreeSockets = 0;
  for (const sockets of Object.values(agent.freeSockets))
    for (const socket of sockets ?? []) socket.destroy();
}
