/**
 * Tokens for SASL OAUTHBEARER by the client credentials grant (RFC 6749, 4.4): one for all connections, fetched again
 * before it expires. Brokers that limit sessions (connections.max.reauth.ms, or the token's own life) ask for a new one on a
 * connection that stays open, and kafkajs answers ten seconds before the session ends.
 */
import { ConfigError, errorMessage } from '#model/errors.ts';

export interface OauthClient {
  /** The token endpoint. */
  readonly url: string;
  readonly clientId: string;
  /** Asked for each token: secrets are renewed, too. */
  readonly clientSecret: () => string;
  /** '' for none. */
  readonly scope: string;
}

interface Token {
  readonly value: string;
  /** From when on another one is fetched, Unix ms. */
  readonly staleAtMs: number;
  readonly expiresAtMs: number;
}

const fetchTimeoutMs = 10_000;
/** Where the answer does not say it (RFC 6749, 5.1 recommends that it does). */
const lifetimeDefaultMs = 60_000;
/** Replaced so early, or after half of its life where that is short: a session that ends needs a younger one. */
const renewalMs = 30_000;
const answerTextMax = 200;

/** Returns what kafkajs asks for tokens. It rejects with what the endpoint said where that gives none. */
export function oauthTokens(
  client: OauthClient,
  now: () => number = Date.now,
): () => Promise<{ readonly value: string }> {
  let token: Token | undefined;
  let fetching: Promise<Token> | undefined;
  return async () => {
    if (token !== undefined && now() < token.staleAtMs) return token;
    fetching ??= fetchToken(client, now).finally(() => {
      fetching = undefined;
    });
    try {
      token = await fetching;
    } catch (error) {
      // A token that is old but valid carries us over an endpoint that is down.
      if (token === undefined || now() >= token.expiresAtMs) throw error;
    }
    return token;
  };
}

async function fetchToken(client: OauthClient, now: () => number): Promise<Token> {
  const { url, clientId, clientSecret, scope } = client;
  const credentials = Buffer.from(
    `${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret())}`,
  ).toString('base64');
  const startMs = now();
  let text: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        authorization: `Basic ${credentials}`,
        'content-type': 'application/x-www-form-urlencoded',
        accept: 'application/json',
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        ...(scope === '' ? {} : { scope }),
      }).toString(),
      signal: AbortSignal.timeout(fetchTimeoutMs),
    });
    text = await response.text();
    if (!response.ok) {
      const fact = `it answered ${response.status}: ${text.slice(0, answerTextMax)}`;
      // Of 4xx, a person must change something.
      throw response.status < 500 ? new ConfigError(fact) : new Error(fact);
    }
  } catch (error) {
    const { cause } = error as Error;
    const reason =
      cause === undefined ? errorMessage(error) : `${errorMessage(error)}: ${errorMessage(cause)}`;
    throw new Error(`no token from ${url}: ${reason}`, { cause: error });
  }
  const { access_token: value, expires_in: seconds } = parseAnswer(text, url);
  const lifetimeMs = seconds === undefined ? lifetimeDefaultMs : seconds * 1000;
  return {
    value,
    expiresAtMs: startMs + lifetimeMs,
    staleAtMs: startMs + lifetimeMs - Math.min(renewalMs, lifetimeMs / 2),
  };
}

function parseAnswer(text: string, url: string): { access_token: string; expires_in: number | undefined } {
  let answer: { access_token?: unknown; expires_in?: unknown } = {};
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch (error) {
    throw new Error(`no token from ${url}: its answer is no JSON (${errorMessage(error)})`, { cause: error });
  }
  const { access_token: value, expires_in: seconds } = answer ?? {};
  if (typeof value !== 'string' || value === '') {
    throw new Error(`no token from ${url}: its answer has no access_token`);
  }
  const life = Number(seconds);
  return { access_token: value, expires_in: life > 0 ? life : undefined };
}
