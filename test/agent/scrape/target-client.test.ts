/**
 * Goal: targets are asked as their scrape config says: TLS, credentials, headers, proxies, redirects; no secret gets out.
 * Method: real HTTP and HTTPS servers that note what they were asked, with certificates made by openssl.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http';
import { createServer as createHttpsServer, type ServerOptions } from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, expect, test } from 'vitest';
import { TargetClient, TargetClients } from '#agent/scrape/http/target-client.ts';
import type { HttpClientSettings } from '#agent/scrape/scrape-settings.ts';
import { makeAuthority, makeCertificate } from '#test/support/certificates.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-target-client-'));
const authority = makeAuthority(directory);
const otherAuthority = makeAuthority(directory, 'other');
const forAddress = makeCertificate(directory, authority, 'address', 'IP:127.0.0.1');
const forName = makeCertificate(directory, authority, 'name', 'DNS:db.example');
const forClient = makeCertificate(directory, authority, 'client', 'DNS:client');

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});
afterAll(() => rmSync(directory, { recursive: true }));

async function listen(server: Server | ReturnType<typeof createHttpsServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const serve = async (listener: RequestListener): Promise<string> =>
  `http://${await listen(createServer(listener))}`;
const serveTls = async (options: ServerOptions, listener: RequestListener): Promise<string> =>
  `https://${await listen(createHttpsServer(options, listener))}`;
const hello: RequestListener = (_request, response) => response.end('hello');

function clientOf(settings: Partial<HttpClientSettings>): TargetClient {
  const client = new TargetClient({ isFollowingRedirects: true, ...settings });
  cleanups.push(() => client.close());
  return client;
}

/** Returns status and body of what the client gets, or the error's message. */
async function get(client: TargetClient, url: string, headers: Record<string, string> = {}): Promise<string> {
  try {
    const { response } = await client.get(new URL(url), headers, AbortSignal.timeout(10_000));
    let body = '';
    for await (const chunk of response as AsyncIterable<Buffer>) body += chunk.toString();
    return `${response.statusCode} ${body}`;
  } catch (error) {
    return (error as Error).message;
  }
}

const trusting = { ca: authority.cert, isInsecure: false };

test('TLS: an authority as text or file is trusted, others are not', async () => {
  const url = await serveTls(forAddress, hello);
  expect(await get(clientOf({ tls: trusting }), url)).toBe('200 hello');
  expect(await get(clientOf({ tls: { caFile: authority.certPath, isInsecure: false } }), url)).toBe(
    '200 hello',
  );
  expect(await get(clientOf({}), url)).toMatch(/certificate/);
  expect(await get(clientOf({ tls: { ca: otherAuthority.cert, isInsecure: false } }), url)).toMatch(
    /certificate/,
  );
  expect(await get(clientOf({ tls: { isInsecure: true } }), url)).toBe('200 hello');
});

test('TLS: the server name is asked for and compared', async () => {
  const names: unknown[] = [];
  const url = await serveTls(forName, (request, response) => {
    names.push((request.socket as TLSSocket).servername);
    response.end();
  });
  expect(await get(clientOf({ tls: trusting }), url)).toContain('127.0.0.1');
  expect(await get(clientOf({ tls: { ...trusting, serverName: 'db.example' } }), url)).toBe('200 ');
  expect(names).toEqual(['db.example']);
});

test('mTLS: the client shows its certificate, and a new one when the file changes', async () => {
  const seen: string[] = [];
  const url = await serveTls(
    { ...forAddress, ca: authority.cert, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      seen.push(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
      response.end();
    },
  );
  expect(await get(clientOf({ tls: trusting }), url)).not.toMatch(/^200/);
  const [certFile, keyFile] = [join(directory, 'mine.crt'), join(directory, 'mine.key')];
  writeFileSync(certFile, forClient.cert);
  writeFileSync(keyFile, forClient.key);
  const client = clientOf({ tls: { ...trusting, certFile, keyFile } });
  expect(await get(client, url)).toBe('200 ');
  writeFileSync(certFile, forName.cert);
  expect(await get(client, url)).toMatch(
    /^the TLS settings \(.*mine.crt, .*mine.key\) cannot be used: .*mismatch/,
  );
  writeFileSync(keyFile, forName.key);
  expect(await get(client, url)).toBe('200 ');
  expect(seen).toEqual(['client', 'name']);
});

test('a minimum version that the server does not have is refused', async () => {
  const url = await serveTls({ ...forAddress, maxVersion: 'TLSv1.2' }, hello);
  expect(await get(clientOf({ tls: { ...trusting, minVersion: 'TLSv1.3' } }), url)).toMatch(
    /protocol version/i,
  );
  expect(await get(clientOf({ tls: { ...trusting, minVersion: 'TLSv1.2' } }), url)).toBe('200 hello');
});

const echoAuthorization: RequestListener = (request, response) =>
  response.end(request.headers.authorization ?? 'none');

test('basic auth and authorization, from texts and from files that change', async () => {
  const url = await serve(echoAuthorization);
  const path = join(directory, 'secret');
  writeFileSync(path, 's3cret\n');
  const basic = `200 Basic ${Buffer.from('me:s3cret').toString('base64')}`;
  expect(await get(clientOf({ basicAuth: { username: 'me', password: 's3cret' } }), url)).toBe(basic);
  expect(await get(clientOf({ basicAuth: { username: 'me', passwordFile: path } }), url)).toBe(basic);
  const client = clientOf({ authorization: { type: 'Bearer', credentialsFile: path } });
  expect(await get(client, url)).toBe('200 Bearer s3cret');
  writeFileSync(path, 'other-one');
  expect(await get(client, url)).toBe('200 Bearer other-one');
  expect(await get(clientOf({ authorization: { type: 'Token', credentials: 'x' } }), url)).toBe(
    '200 Token x',
  );
  writeFileSync(path, 'two\nlines');
  expect(await get(client, url)).toBe(`the credentials in ${path} have characters that no header may have`);
  rmSync(path);
  expect(await get(client, url)).toMatch(new RegExp(`^the file ${path} could not be read: ENOENT`));
});

test('extra headers are sent, each value by itself', async () => {
  const url = await serve((request, response) => response.end(request.rawHeaders.join('|')));
  const shown = await get(clientOf({ headers: { 'X-Scope': ['a', 'b'], 'X-One': ['c'] } }), url, {
    accept: 'x/y',
  });
  expect(shown).toContain('x-scope|a|x-scope|b');
  expect(shown).toContain('x-one|c');
  expect(shown).toContain('accept|x/y');
});

test('redirects: followed with credentials on the same host alone, or not at all', async () => {
  const elsewhere = await serve(echoAuthorization);
  const url = await serve((request, response) => {
    if (request.url === '/here') return echoAuthorization(request, response);
    const location = request.url === '/away' ? elsewhere : '/here';
    return response.writeHead(302, { location }).end();
  });
  const settings = { authorization: { type: 'Bearer', credentials: 'x' } };
  expect(await get(clientOf(settings), url)).toBe('200 Bearer x');
  expect(await get(clientOf(settings), `${url}/away`)).toBe('200 none');
  expect(await get(clientOf({}), `${url.replace('//', '//u:p@')}/away`)).toBe('200 none');
  expect(await get(clientOf({}), url.replace('//', '//u:p@'))).toBe('200 Basic dTpw');
  expect(await get(clientOf({ ...settings, isFollowingRedirects: false }), url)).toBe('302 ');
});

interface TokenServer {
  readonly url: string;
  readonly asked: string[];
  answer: (body: URLSearchParams, request: IncomingMessage) => [status: number, body: string];
}

async function tokenServer(): Promise<TokenServer> {
  const asked: string[] = [];
  const url = await serve((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      asked.push(`${request.headers.authorization ?? 'none'} ${body}`);
      const [status, text] = server.answer(new URLSearchParams(body), request);
      response.writeHead(status).end(text);
    });
  });
  const server: TokenServer = {
    url: `${url}/token`,
    asked,
    answer: () => [200, JSON.stringify({ access_token: `t${asked.length}`, expires_in: 3600 })],
  };
  return server;
}

const oauth2 = (tokenUrl: string): NonNullable<HttpClientSettings['oauth2']> => ({
  clientId: 'id',
  clientSecret: 's3cret',
  scopes: ['a', 'b'],
  tokenUrl,
  endpointParams: { audience: 'x' },
});

test('OAuth 2.0: a token is asked for once, used until a target refuses it, then asked for again', async () => {
  const tokens = await tokenServer();
  let refused = '';
  const url = await serve((request, response) => {
    if (request.headers.authorization === refused) response.statusCode = 401;
    echoAuthorization(request, response);
  });
  const client = clientOf({ oauth2: oauth2(tokens.url) });
  const both = await Promise.all([get(client, url), get(client, url)]);
  expect(both).toEqual(['200 Bearer t1', '200 Bearer t1']);
  const basic = Buffer.from('id:s3cret').toString('base64');
  expect(tokens.asked).toEqual([`Basic ${basic} grant_type=client_credentials&scope=a+b&audience=x`]);
  refused = 'Bearer t1';
  expect(await get(client, url)).toBe('200 Bearer t2');
  refused = 'Bearer t2';
  expect(await get(client, url)).toBe('200 Bearer t3');
});

test('OAuth 2.0: a token that expires is asked for again; the secret goes into the body where it must', async () => {
  const tokens = await tokenServer();
  tokens.answer = (body) =>
    body.get('client_secret') === 's3cret'
      ? [200, JSON.stringify({ access_token: 'short', expires_in: 1 })]
      : [401, '{"error":"invalid_client"}'];
  const url = await serve(echoAuthorization);
  const client = clientOf({ oauth2: oauth2(tokens.url) });
  expect([await get(client, url), await get(client, url)]).toEqual(['200 Bearer short', '200 Bearer short']);
  expect(tokens.asked).toHaveLength(3);
});

test.each<[string, [number, string], RegExp]>([
  ['refuses', [403, 's3cret is wrong'], /^the token server 127.0.0.1:\d+ answered 403$/],
  ['answers no JSON', [200, 's3cret'], /answered no JSON$/],
  ['answers no token', [200, '{"token":"s3cret"}'], /answered without an access_token$/],
  ['answers too much', [200, 'x'.repeat(100_000)], /answered more than 65536 bytes$/],
])('OAuth 2.0: a server that %s is named, and what it said is not', async (_name, answer, message) => {
  const tokens = await tokenServer();
  tokens.answer = () => answer;
  const shown = await get(clientOf({ oauth2: oauth2(tokens.url) }), await serve(hello));
  expect(shown).toMatch(message);
  expect(shown).not.toContain('s3cret');
});

async function proxy(status = 200): Promise<{ url: string; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((incoming, response) => {
    seen.push(`${incoming.method} ${incoming.url} ${incoming.headers['proxy-authorization'] ?? 'none'}`);
    const { 'proxy-authorization': _, ...headers } = incoming.headers;
    request(incoming.url!, { headers }, (answer) => answer.pipe(response)).end();
  });
  server.on('connect', (incoming: IncomingMessage, socket: Socket) => {
    seen.push(`CONNECT ${incoming.url} ${incoming.headers['proxy-authorization'] ?? 'none'}`);
    if (status !== 200) return socket.end(`HTTP/1.1 ${status} No\r\n\r\n`);
    const [host, port] = incoming.url!.split(':') as [string, string];
    const target = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.pipe(target).pipe(socket);
    });
    target.on('error', () => socket.destroy());
    socket.on('error', () => target.destroy());
    return undefined;
  });
  return { url: `http://${await listen(server)}`, seen };
}

test('a proxy is named the whole URL, or makes a tunnel for TLS', async () => {
  const { url: proxyUrl, seen } = await proxy();
  const plain = await serve(echoAuthorization);
  const secure = await serveTls(forAddress, echoAuthorization);
  const withUser = proxyUrl.replace('//', '//u:p%40@');
  const client = clientOf({
    proxyUrl: withUser,
    tls: trusting,
    authorization: { type: 'Bearer', credentials: 'x' },
  });
  const basic = `Basic ${Buffer.from('u:p@').toString('base64')}`;
  expect(await get(client, `${plain}/metrics?a=1`)).toBe('200 Bearer x');
  expect(await get(client, `${secure}/metrics`)).toBe('200 Bearer x');
  expect(seen).toEqual([`GET ${plain}/metrics?a=1 ${basic}`, `CONNECT ${new URL(secure).host} ${basic}`]);
  expect(await get(clientOf({ proxyUrl, tls: { isInsecure: false } }), secure)).toMatch(/certificate/);
});

test('a proxy that refuses, or is none, is named without its password', async () => {
  const { url } = await proxy(407);
  const secure = await serveTls(forAddress, hello);
  const shown = await get(clientOf({ proxyUrl: url.replace('//', '//u:s3cret@'), tls: trusting }), secure);
  expect(shown).toBe(`the proxy ${new URL(url).host} answered 407 to CONNECT ${new URL(secure).host}`);
  expect(await get(clientOf({ proxyUrl: 'ftp://u:s3cret@x' }), secure)).toBe(
    'the proxy URL is neither http:// nor https:// nor socks5://',
  );
});

test('connections are kept between requests, and one that the server has closed is not an error', async () => {
  let connections = 0;
  const server = createServer({ keepAliveTimeout: 0 }, hello);
  server.on('connection', () => connections++);
  const url = `http://${await listen(server)}`;
  const client = clientOf({});
  for (let i = 0; i < 3; i++) expect(await get(client, url)).toBe('200 hello');
  expect(connections).toBe(1);
  // Whether the client has seen it by now or writes into the closed connection: neither is an error.
  server.closeAllConnections();
  expect(await get(client, url)).toBe('200 hello');
  expect(connections).toBe(2);
});

test('equal settings share a client until the last user has left', () => {
  const clients = new TargetClients();
  const settings = (): HttpClientSettings => ({ isFollowingRedirects: true, headers: { a: ['b'] } });
  const first = clients.acquire(settings());
  expect(clients.acquire(settings())).toBe(first);
  expect(clients.acquire({ isFollowingRedirects: false })).not.toBe(first);
  clients.release(settings());
  expect(clients.acquire(settings())).toBe(first);
  clients.release(settings());
  clients.release(settings());
  expect(clients.acquire(settings())).not.toBe(first);
  expect(() => clients.release({ isFollowingRedirects: true })).toThrow('BUG');
});
