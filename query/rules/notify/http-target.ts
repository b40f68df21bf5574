/**
 * One URL that notifications are posted to. Userinfo in the URL becomes basic authentication. The path and the query may
 * hold a token, so that only the host is ever logged.
 */
import { ConfigError, errorMessage } from '#model/errors.ts';
import { tenantHeader } from '#model/tenant.ts';

export type PostOutcome =
  | { readonly kind: 'accepted' }
  /** The same message may be taken later: the receiver is down, overloaded or slow. */
  | { readonly kind: 'failed'; readonly fact: string }
  /** Sending the same message again cannot help. */
  | { readonly kind: 'refused'; readonly fact: string };

const postTimeoutMs = 10_000;

export class HttpTarget {
  /** For logs and metrics: no path, no secrets. */
  readonly host: string;
  readonly #url: string;
  readonly #authorization: string | undefined;

  /** `path` is appended to the URL's own. Throws ConfigError where the URL is none. */
  constructor(text: string, path = '') {
    let url: URL;
    try {
      url = new URL(text);
    } catch {
      throw new ConfigError('a URL for notifications cannot be read (it is not shown: it may hold a secret)');
    }
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw new ConfigError(
        `a URL for notifications must begin with http:// or https://, not ${url.protocol}`,
      );
    }
    this.host = url.host;
    if (url.username !== '' || url.password !== '') {
      const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
      this.#authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
      url.username = '';
      url.password = '';
    }
    if (path !== '') url.pathname = url.pathname.replace(/\/$/, '') + path;
    this.#url = url.href;
  }

  /** Posts JSON. Never rejects: what went wrong is the outcome. */
  async post(body: string, tenant: string, abort: AbortSignal): Promise<PostOutcome> {
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'user-agent': 'sonde',
          [tenantHeader]: tenant,
          ...(this.#authorization === undefined ? {} : { authorization: this.#authorization }),
        },
        // A redirect could lead the alert and its credentials to a host that nobody configured.
        redirect: 'manual',
        signal: AbortSignal.any([abort, AbortSignal.timeout(postTimeoutMs)]),
      });
      await response.body?.cancel();
      if (response.ok) return { kind: 'accepted' };
      const fact = `answered ${response.status}`;
      const isTemporary = response.status === 408 || response.status === 429 || response.status >= 500;
      return { kind: isTemporary ? 'failed' : 'refused', fact };
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
      return { kind: 'failed', fact: errorMessage(cause) };
    }
  }
}
