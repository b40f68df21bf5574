/**
 * Tokens of OAuth 2.0 client credentials (RFC 6749, section 4.4): asked for when the first is needed, kept until shortly
 * before they expire, forgotten when a target refuses them.
 */
import type { IncomingMessage } from 'node:http';
import { ScrapeError } from '../scrape-error.ts';
import type { HttpClientSettings } from '../scrape-settings.ts';
import type { Connections } from './connections.ts';
import type { FileTexts } from './file-texts.ts';

export type OAuth2Settings = NonNullable<HttpClientSettings['oauth2']>;

/** Of the token server's answer. */
const answerBytesMax = 64 * 1024;
/** A token is not used in its last seconds: the request must arrive before it expires. */
const spareMs = 10_000;

interface Token {
  readonly text: string;
  readonly secret: string;
  /** In performance.now(); infinite where the server does not say. */
  readonly expiresMs: number;
}

export class OAuth2Tokens {
  readonly #settings: OAuth2Settings;
  readonly #connections: Connections;
  readonly #files: FileTexts;
  #token: Token | undefined;
  #asking: Promise<Token> | undefined;
  /** Some servers take the client's secret in the body alone. */
  #isSecretInBody = false;

  constructor(settings: OAuth2Settings, connections: Connections, files: FileTexts) {
    this.#settings = settings;
    this.#connections = connections;
    this.#files = files;
  }

  /** Returns a token. Throws ScrapeError that says what the token server answered, without what was sent. */
  async token(signal: AbortSignal): Promise<string> {
    const { clientSecret, clientSecretFile } = this.#settings;
    const secret = (await this.#files.secret(clientSecret, clientSecretFile)) ?? '';
    const known = this.#token;
    if (known && known.secret === secret && performance.now() < known.expiresMs) return known.text;
    signal.throwIfAborted();
    // All targets wait for one request: it must not end with the scrape that began it.
    this.#asking ??= this.#ask(secret).finally(() => {
      this.#asking = undefined;
    });
    const token = await abortable(this.#asking, signal);
    return token.text;
  }

  /** Must be called when a target answered 401 to this token. */
  forget(text: string): void {
    if (this.#token?.text === text) this.#token = undefined;
  }

  async #ask(secret: string): Promise<Token> {
    const first = await this.#post(secret, this.#isSecretInBody);
    const isRefused = first.status === 400 || first.status === 401;
    const answer = isRefused && !this.#isSecretInBody ? await this.#post(secret, true) : first;
    if (answer.status === 200 && answer !== first) this.#isSecretInBody = true;
    this.#token = parseToken(answer, secret, this.#settings.tokenUrl);
    return this.#token;
  }

  async #post(secret: string, isSecretInBody: boolean): Promise<{ status: number; text: string }> {
    const { clientId, scopes, endpointParams, tokenUrl } = this.#settings;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scopes.length > 0) form.set('scope', scopes.join(' '));
    for (const [name, value] of Object.entries(endpointParams)) form.set(name, value);
    const headers: Record<string, string> = {
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    };
    if (isSecretInBody) {
      form.set('client_id', clientId);
      form.set('client_secret', secret);
    } else {
      const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`;
      headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
    }
    const body = form.toString();
    headers['content-length'] = String(Buffer.byteLength(body));
    const signal = AbortSignal.timeout(answerMsMax);
    const response = await this.#connections.open(new URL(tokenUrl), {
      method: 'POST',
      headers,
      body,
      signal,
    });
    return { status: response.statusCode!, text: await readAnswer(response) };
  }
}

const answerMsMax = 10_000;

async function readAnswer(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > answerBytesMax)
      throw new ScrapeError(`the token server answered more than ${answerBytesMax} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parseToken(
  { status, text }: { status: number; text: string },
  secret: string,
  tokenUrl: string,
): Token {
  const shown = new URL(tokenUrl).host;
  if (status !== 200) throw new ScrapeError(`the token server ${shown} answered ${status}`);
  let answer: { access_token?: unknown; expires_in?: unknown };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    throw new ScrapeError(`the token server ${shown} answered no JSON`);
  }
  if (typeof answer?.access_token !== 'string' || !/^[\x21-\x7e]+$/.test(answer.access_token)) {
    throw new ScrapeError(`the token server ${shown} answered without an access_token`);
  }
  const seconds = Number(answer.expires_in ?? 0);
  const expiresMs = seconds > 0 ? performance.now() + seconds * 1000 - spareMs : Number.POSITIVE_INFINITY;
  return { text: answer.access_token, secret, expiresMs };
}

async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let fail: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    fail = () => reject(signal.reason as Error);
    signal.addEventListener('abort', fail, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', fail);
  }
}
