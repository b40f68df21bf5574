/**
 * How a target or a discovery is asked: the HTTP client part of Prometheus's configuration, checked.
 *
 *   { basic_auth: { username: 'u', password_file: 'pw' } }  ->  { basicAuth: { username: 'u', passwordFile: '/etc/prom/pw' }, ... }
 */
import { resolve } from 'node:path';
import { z } from 'zod';
import type { HttpClientSettings, TlsSettings } from '#agent/scrape/scrape-settings.ts';
import { booleanValue, type RefusedKeys, strictMap, textList, textValue, urlValue } from './config-values.ts';

const secretRef = 'there is no secret provider here; use a file';

const tlsVersions = { TLS10: 'TLSv1', TLS11: 'TLSv1.1', TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' } as const;

const tlsSchema = strictMap(
  {
    ca: textValue.optional(),
    ca_file: textValue.optional(),
    cert: textValue.optional(),
    cert_file: textValue.optional(),
    key: textValue.optional(),
    key_file: textValue.optional(),
    server_name: textValue.optional(),
    insecure_skip_verify: booleanValue.default(false),
    min_version: z
      .enum(['TLS10', 'TLS11', 'TLS12', 'TLS13'], 'expected TLS10, TLS11, TLS12 or TLS13')
      .optional(),
  },
  {
    max_version: 'the newest version that both sides know is used',
    ca_ref: secretRef,
    cert_ref: secretRef,
    key_ref: secretRef,
  },
).superRefine((tls, context) => {
  for (const [one, other] of [
    ['ca', 'ca_file'],
    ['cert', 'cert_file'],
    ['key', 'key_file'],
  ] as const) {
    if (tls[one] && tls[other]) context.addIssue(`at most one of ${one} and ${other} must be given`);
  }
  const hasCert = Boolean(tls.cert || tls.cert_file);
  const hasKey = Boolean(tls.key || tls.key_file);
  if (hasCert !== hasKey)
    context.addIssue('a client certificate needs both: cert or cert_file, and key or key_file');
});

const basicAuthSchema = strictMap(
  { username: textValue.default(''), password: textValue.optional(), password_file: textValue.optional() },
  { username_file: 'write the name as username', username_ref: secretRef, password_ref: secretRef },
).refine(
  (auth) => !(auth.password && auth.password_file),
  'at most one of password and password_file must be given',
);

const authorizationSchema = strictMap(
  {
    type: textValue.default('Bearer'),
    credentials: textValue.optional(),
    credentials_file: textValue.optional(),
  },
  { credentials_ref: secretRef },
)
  .refine(
    (auth) => !(auth.credentials && auth.credentials_file),
    'at most one of credentials and credentials_file must be given',
  )
  .refine((auth) => auth.type.trim().toLowerCase() !== 'basic', 'type "Basic" is written as basic_auth');

const oauth2Schema = strictMap(
  {
    client_id: textValue,
    client_secret: textValue.optional(),
    client_secret_file: textValue.optional(),
    scopes: textList.default([]),
    token_url: urlValue,
    endpoint_params: z.record(z.string(), textValue).default({}),
    tls_config: tlsSchema.nullish(),
  },
  {
    client_secret_ref: secretRef,
    grant_type: 'client_credentials is used always',
    proxy_url: 'the token is asked for directly',
    no_proxy: 'the token is asked for directly',
    proxy_from_environment: 'the token is asked for directly',
    proxy_connect_header: 'the token is asked for directly',
  },
).refine(
  (auth) => !(auth.client_secret && auth.client_secret_file),
  'at most one of client_secret and client_secret_file must be given',
);

const headerSchema = strictMap(
  { values: textList.default([]), secrets: textList.default([]) },
  { files: 'write the values as secrets' },
);
/** Set by the request itself (Prometheus, http_config). */
const reservedHeaders = new Set(
  'authorization host content-encoding content-length content-type user-agent connection keep-alive proxy-authenticate proxy-authorization www-authenticate accept-encoding x-prometheus-remote-write-version x-prometheus-remote-read-version x-prometheus-scrape-timeout-seconds x-amz-date x-amz-security-token x-amz-content-sha256'.split(
    ' ',
  ),
);
const headersSchema = z.record(z.string(), headerSchema).superRefine((headers, context) => {
  for (const name of Object.keys(headers)) {
    if (reservedHeaders.has(name.toLowerCase())) context.addIssue(`the header "${name}" is reserved`);
    else if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name)) context.addIssue(`"${name}" is no header name`);
  }
});

const proxyUrlValue = textValue.refine(
  (text) => URL.canParse(text) && /^(?:https?|socks5h?):$/.test(new URL(text).protocol),
  'expected an http://, https:// or socks5:// URL',
);

/** The keys, to be spread into the map that they stand in. */
export const httpClientShape = {
  basic_auth: basicAuthSchema.nullish(),
  authorization: authorizationSchema.nullish(),
  bearer_token: textValue.optional(),
  bearer_token_file: textValue.optional(),
  oauth2: oauth2Schema.nullish(),
  tls_config: tlsSchema.nullish(),
  follow_redirects: booleanValue.default(true),
  /** Has no effect: HTTP/1.1 is spoken, as Prometheus does with servers that know nothing else. */
  enable_http2: booleanValue.default(true),
  proxy_url: proxyUrlValue.optional(),
  no_proxy: textValue.optional(),
  proxy_from_environment: booleanValue.optional(),
  http_headers: headersSchema.nullish(),
};

export const httpClientRefused: RefusedKeys = {
  proxy_connect_header: 'headers to the proxy are not sent',
};

export type HttpClientConfig = z.infer<z.ZodObject<typeof httpClientShape>>;

/** At most one way to authenticate. Returns what is wrong, or undefined. */
export function conflictingAuthentication(config: HttpClientConfig): string | undefined {
  const given = [
    config.basic_auth && 'basic_auth',
    config.authorization && 'authorization',
    config.oauth2 && 'oauth2',
    config.bearer_token && 'bearer_token',
    config.bearer_token_file && 'bearer_token_file',
  ].filter((name) => typeof name === 'string');
  return given.length > 1 ? `at most one of ${given.join(' and ')} must be given` : undefined;
}

/** As Prometheus has it. Returns what is wrong, or undefined. */
export function conflictingProxies(config: HttpClientConfig): string | undefined {
  const { proxy_url: url, no_proxy: except, proxy_from_environment: isFromEnvironment } = config;
  if (isFromEnvironment && url) return 'with proxy_from_environment, proxy_url must not be given';
  if (isFromEnvironment && except) return 'with proxy_from_environment, no_proxy must not be given';
  if (except && !url) return 'no_proxy is given without proxy_url';
  return undefined;
}

/** `directory` is where relative paths begin: that of the configuration file. */
export function httpClientSettings(config: HttpClientConfig, directory: string): HttpClientSettings {
  const path = (file: string | undefined): string | undefined =>
    file ? resolve(directory, file) : undefined;
  const { basic_auth: basic, oauth2, http_headers: headers } = config;
  const authorization =
    config.authorization ??
    (config.bearer_token || config.bearer_token_file
      ? { type: 'Bearer', credentials: config.bearer_token, credentials_file: config.bearer_token_file }
      : undefined);
  return present({
    basicAuth: basic
      ? present({
          username: basic.username,
          password: basic.password,
          passwordFile: path(basic.password_file),
        })
      : undefined,
    authorization: authorization
      ? present({
          type: authorization.type.trim(),
          credentials: authorization.credentials,
          credentialsFile: path(authorization.credentials_file),
        })
      : undefined,
    oauth2: oauth2
      ? present({
          clientId: oauth2.client_id,
          clientSecret: oauth2.client_secret,
          clientSecretFile: path(oauth2.client_secret_file),
          scopes: oauth2.scopes,
          tokenUrl: oauth2.token_url,
          endpointParams: oauth2.endpoint_params,
          tls: tlsSettings(oauth2.tls_config, path),
        })
      : undefined,
    tls: tlsSettings(config.tls_config, path),
    headers: headers
      ? Object.fromEntries(
          Object.entries(headers).map(([name, { values, secrets }]) => [name, [...values, ...secrets]]),
        )
      : undefined,
    isFollowingRedirects: config.follow_redirects,
    proxyUrl: config.proxy_url,
    noProxy: config.no_proxy,
    isProxyFromEnvironment: config.proxy_from_environment || undefined,
  });
}

function tlsSettings(
  tls: z.infer<typeof tlsSchema> | null | undefined,
  path: (file: string | undefined) => string | undefined,
): TlsSettings | undefined {
  if (!tls) return undefined;
  return present({
    ca: tls.ca,
    caFile: path(tls.ca_file),
    cert: tls.cert,
    certFile: path(tls.cert_file),
    key: tls.key,
    keyFile: path(tls.key_file),
    serverName: tls.server_name,
    isInsecure: tls.insecure_skip_verify,
    minVersion: tls.min_version && tlsVersions[tls.min_version],
  });
}

type Present<Value> = {
  [Key in keyof Value as undefined extends Value[Key] ? never : Key]: Value[Key];
} & { [Key in keyof Value as undefined extends Value[Key] ? Key : never]?: Exclude<Value[Key], undefined> };

/** Without the keys that are undefined: settings are compared by their JSON, and optional keys are absent ones. */
function present<Value extends object>(value: Value): Present<Value> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined)) as Present<Value>;
}
