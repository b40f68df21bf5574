/** Goal: options that contradict each other are said to, tokens are fetched in time, and bad files leave good ones in force. */
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { ConfigError } from '#model/errors.ts';
import { hasOpenssl, makeCertificates } from '#test/support/certificates.ts';
import { silentKafkaLog } from '#test/support/silent-kafka-log.ts';
import { oauthTokens } from '#wire/kafka/oauth-token.ts';
import { type KafkaSecurityOptions, kafkaSecurity } from '#wire/kafka/security.ts';
import { TlsFiles } from '#wire/kafka/tls-files.ts';

const none: KafkaSecurityOptions = {
  'kafka.tls.is_used': false,
  'kafka.tls.ca_path': '',
  'kafka.tls.cert_path': '',
  'kafka.tls.key_path': '',
  'kafka.sasl.mechanism': 'none',
  'kafka.sasl.username': '',
  'kafka.sasl.password': '',
  'kafka.sasl.password_path': '',
  'kafka.sasl.oauth_url': '',
  'kafka.sasl.oauth_scope': '',
};
const plain = { 'kafka.sasl.mechanism': 'PLAIN', 'kafka.sasl.username': 'a' } as const;

test('without options there is neither TLS nor SASL', () =>
  expect(kafkaSecurity(none, silentKafkaLog)).toEqual({}));

test.each<{ options: Partial<KafkaSecurityOptions>; fault: RegExp }>([
  { options: { 'kafka.sasl.mechanism': 'PLAIN' }, fault: /needs kafka.sasl.username/ },
  { options: plain, fault: /set one of kafka.sasl.password and kafka.sasl.password_path/ },
  {
    options: { ...plain, 'kafka.sasl.password': 'x', 'kafka.sasl.password_path': '/x' },
    fault: /set one of/,
  },
  {
    options: { ...plain, 'kafka.sasl.mechanism': 'OAUTHBEARER', 'kafka.sasl.password': 'x' },
    fault: /needs kafka.sasl.oauth_url/,
  },
  {
    options: { 'kafka.tls.ca_path': '/ca' },
    fault: /kafka.tls.ca_path is set, but kafka.tls.is_used is false/,
  },
  { options: { 'kafka.tls.is_used': true, 'kafka.tls.cert_path': '/c' }, fault: /belong together/ },
])('options that cannot be meant are refused: $fault', ({ options, fault }) => {
  expect(() => kafkaSecurity({ ...none, ...options }, silentKafkaLog)).toThrow(fault);
  expect(() => kafkaSecurity({ ...none, ...options }, silentKafkaLog)).toThrow(ConfigError);
});

test('a password file is read at each authentication, and named where it cannot be', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'sonde-password-')), 'password');
  const { sasl } = kafkaSecurity({ ...none, ...plain, 'kafka.sasl.password_path': path }, silentKafkaLog);
  const password = () => (sasl as { password: string }).password;
  expect(password).toThrow(/kafka.sasl.password_path: ENOENT/);
  for (const text of ['one', 'two']) {
    writeFileSync(path, `${text}\n`);
    expect(password()).toBe(text);
  }
});

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function tokenEndpoint(answer: (response: ServerResponse, count: number) => void): Promise<string> {
  let count = 0;
  const server = createServer((_, response) => answer(response, ++count));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
}

const tokensOf = (url: string, now: () => number) =>
  oauthTokens({ url, clientId: 'id', clientSecret: () => 'secret', scope: '' }, now);

test('one token serves all until shortly before it expires, and an endpoint that is down is borne until it has', async () => {
  const url = await tokenEndpoint((response, count) => {
    if (count === 3) response.writeHead(503).end('down');
    else response.end(JSON.stringify({ access_token: `token ${count}`, expires_in: 300 }));
  });
  let nowMs = 1000;
  const tokens = tokensOf(url, () => nowMs);
  const both = await Promise.all([tokens(), tokens()]);
  expect(both.map(({ value }) => value)).toEqual(['token 1', 'token 1']);
  nowMs += 269_000;
  expect((await tokens()).value).toBe('token 1');
  nowMs += 2000;
  expect((await tokens()).value).toBe('token 2');
  nowMs += 280_000;
  expect((await tokens()).value).toBe('token 2');
  expect((await tokens()).value).toBe('token 4');
});

test.each([
  {
    name: 'a refusal',
    status: 400,
    body: '{"error":"invalid_scope"}',
    fault: /it answered 400: .*invalid_scope/,
  },
  { name: 'no JSON', status: 200, body: '<html>', fault: /its answer is no JSON/ },
  { name: 'no token', status: 200, body: '{}', fault: /its answer has no access_token/ },
  { name: 'null', status: 200, body: 'null', fault: /its answer has no access_token/ },
])('$name of the token endpoint is told with its address', async ({ status, body, fault }) => {
  const url = await tokenEndpoint((response) => response.writeHead(status).end(body));
  await expect(tokensOf(url, Date.now)()).rejects.toThrow(fault);
  await expect(tokensOf(url, Date.now)()).rejects.toThrow(`no token from ${url}`);
});

test('an endpoint that is not there is told with the reason', () =>
  expect(tokensOf('http://127.0.0.1:1/token', Date.now)()).rejects.toThrow(
    /no token from \S+: fetch failed/,
  ));

test.runIf(hasOpenssl())(
  'changed TLS files are used when they can be, and the last good ones until then',
  () => {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-tls-'));
    const { authority, client, server } = makeCertificates();
    const [certPath, keyPath] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
    const warnings: string[] = [];
    const log = { info: () => undefined, warn: (_: object, message: string) => void warnings.push(message) };
    const files = new TlsFiles({ caPath: authority.certPath, certPath, keyPath }, log);
    expect(() => files.current()).toThrow(/TLS files cannot be used: ENOENT.*kafka.tls.cert_path/);
    copyFileSync(client.certPath, certPath);
    copyFileSync(client.keyPath, keyPath);
    const first = files.current();
    expect(String(first.cert)).toBe(client.cert);
    expect(files.current()).toBe(first);
    copyFileSync(server.certPath, certPath);
    expect(files.current()).toBe(first);
    expect(files.current()).toBe(first);
    expect(warnings.filter((text) => /the last good ones stay in force/.test(text)).length).toBe(1);
    copyFileSync(server.keyPath, keyPath);
    expect(String(files.current().cert)).toBe(server.cert);
    rmSync(certPath);
    expect(String(files.current().cert)).toBe(server.cert);
  },
);
