/**
 * Asks targets over HTTP as their scrape config says: credentials, extra headers, redirects. Targets with equal settings
 * share a client and its connections.
 */
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ScrapeError } from '../scrape-error.ts';
import type { HttpClientSettings } from '../scrape-settings.ts';
import { Connections } from './connections.ts';
import { FileTexts } from './file-texts.ts';
import { OAuth2Tokens } from './oauth2-token.ts';
import { ProxyChoice } from './proxy-choice.ts';

const redirectsMax = 5;
/** The variables of the process, which may name proxies. */
type Environment = Readonly<Record<string, string | undefined>>;

export interface TargetAnswer {
  readonly response: IncomingMessage;
  /** Where the answer came from, after redirects. */
  readonly url: URL;
}

export class TargetClient {
  readonly #settings: HttpClientSettings;
  readonly #files: FileTexts;
  readonly #connections: Connections;
  readonly #tokenConnections: Connections | undefined;
  readonly #tokens: OAuth2Tokens | undefined;

  constructor(settings: HttpClientSettings, environment: Environment = {}, files = new FileTexts()) {
    const { tls, oauth2 } = settings;
    const proxies = new ProxyChoice(settings, environment);
    this.#settings = settings;
    this.#files = files;
    this.#connections = new Connections(tls, proxies, files);
    if (!oauth2) return;
    this.#tokenConnections = new Connections(oauth2.tls, proxies, files);
    this.#tokens = new OAuth2Tokens(oauth2, this.#tokenConnections, files);
  }

  /** Returns the first answer that is no redirect. Throws ScrapeError, or whatever the network says. */
  async get(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<TargetAnswer> {
    let at = url;
    for (let redirects = 0; redirects <= redirectsMax; redirects++) {
      const response = await this.#open(at, headers, isTrusted(at, url), signal);
      const status = response.statusCode!;
      const location = response.headers.location;
      const isRedirect = status >= 300 && status < 400 && location !== undefined;
      if (!isRedirect || !this.#settings.isFollowingRedirects) return { response, url: at };
      response.destroy();
      const next = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
      if (next?.protocol !== 'http:' && next?.protocol !== 'https:') {
        throw new ScrapeError(
          `${shownUrl(at)} redirects to ${JSON.stringify(location.slice(0, 200))}, which is no http URL`,
        );
      }
      if (isTrusted(next, url)) Object.assign(next, { username: url.username, password: url.password });
      at = next;
    }
    throw new ScrapeError(`${shownUrl(url)} redirects more than ${redirectsMax} times`);
  }

  close(): void {
    this.#connections.close();
    this.#tokenConnections?.close();
  }

  async #open(
    url: URL,
    headers: Readonly<Record<string, string>>,
    mayKnowSecrets: boolean,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const own = mayKnowSecrets ? await this.#ownHeaders() : {};
    const token = mayKnowSecrets ? await this.#tokens?.token(signal) : undefined;
    const response = await this.#send(url, { ...headers, ...own }, token, signal);
    if (response.statusCode !== 401 || token === undefined) return response;
    response.destroy();
    this.#tokens!.forget(token);
    return await this.#send(url, { ...headers, ...own }, await this.#tokens!.token(signal), signal);
  }

  #send(
    url: URL,
    headers: Readonly<Record<string, string | readonly string[]>>,
    token: string | undefined,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const authorized = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
    return this.#connections.open(url, { method: 'GET', headers: authorized, signal });
  }

  async #ownHeaders(): Promise<Record<string, string | readonly string[]>> {
    const { headers = {}, basicAuth, authorization } = this.#settings;
    const own: Record<string, string | readonly string[]> = {};
    for (const [name, values] of Object.entries(headers)) own[name.toLowerCase()] = values;
    if (basicAuth) {
      const password = (await this.#files.secret(basicAuth.password, basicAuth.passwordFile)) ?? '';
      own.authorization = `Basic ${Buffer.from(`${basicAuth.username}:${password}`).toString('base64')}`;
    } else if (authorization) {
      const { type, credentials, credentialsFile } = authorization;
      const secret = (await this.#files.secret(credentials, credentialsFile)) ?? '';
      // Node would name the bad character's place in the value: the file is what helps, and the value is secret.
      if (/[^\t\x20-\x7e\x80-\xff]/.test(secret)) {
        throw new ScrapeError(
          `the credentials${credentialsFile === undefined ? '' : ` in ${credentialsFile}`} have characters that no header may have`,
        );
      }
      own.authorization = `${type} ${secret}`.trim();
    }
    return own;
  }
}

/** Credentials are for the host that they were configured for, and never go on without TLS where they came with it. */
function isTrusted(url: URL, configured: URL): boolean {
  return url.host === configured.host && (url.protocol === configured.protocol || url.protocol === 'https:');
}

/** Returns the URL without its user and password. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shown.href;
}

/** The clients of a scraper: one for each kind of settings, for as long as targets have them. */
export class TargetClients {
  readonly #files = new FileTexts();
  readonly #clients = new Map<string, { readonly client: TargetClient; users: number }>();
  readonly #environment: Environment;

  constructor(environment: Environment = {}) {
    this.#environment = environment;
  }

  /** Returns the client of these settings, which release must be called for. */
  acquire(settings: HttpClientSettings): TargetClient {
    const key = clientKey(settings);
    const known = this.#clients.get(key) ?? {
      client: new TargetClient(settings, this.#environment, this.#files),
      users: 0,
    };
    this.#clients.set(key, known);
    known.users++;
    return known.client;
  }

  release(settings: HttpClientSettings): void {
    const key = clientKey(settings);
    const known = this.#clients.get(key);
    if (!known) throw new Error('BUG: a client was released that nobody has');
    known.users--;
    if (known.users > 0) return;
    this.#clients.delete(key);
    known.client.close();
  }
}

function clientKey(settings: HttpClientSettings): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('base64');
}
