/**
 * Goal: a request goes through the proxy that Go would send it through. Method: tables after the cases of
 * golang.org/x/net/http/httpproxy, and a SOCKS5 server of RFC 1928 that is written here byte by byte.
 */
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { ProxyChoice } from '#agent/scrape/http/proxy-choice.ts';
import { TargetClient } from '#agent/scrape/http/target-client.ts';

const proxyUrl = 'http://proxy:3128';

test.each([
  ['', 'http://example.com/', true],
  ['', 'http://localhost/', true],
  ['other', 'http://localhost/', false],
  ['other', 'http://127.0.0.9/', false],
  ['other', 'http://[::1]:80/', false],
  ['*', 'http://example.com/', false],
  ['a, *', 'http://example.com/', false],
  ['example.com', 'http://example.com/', false],
  ['example.com', 'http://EXAMPLE.com/', false],
  ['example.com', 'http://a.example.com/', false],
  ['example.com', 'http://notexample.com/', true],
  ['.example.com', 'http://a.example.com/', false],
  ['.example.com', 'http://example.com/', true],
  ['*.example.com', 'http://a.example.com/', false],
  ['*.example.com', 'http://example.com/', true],
  ['example.com:80', 'http://example.com/', false],
  ['example.com:443', 'https://example.com/', false],
  ['example.com:81', 'http://example.com/', true],
  ['10.0.0.0/8', 'http://10.1.2.3/', false],
  ['10.0.0.0/8', 'http://11.1.2.3/', true],
  ['10.0.0.0/33', 'http://10.1.2.3/', true],
  ['192.168.1.1', 'http://192.168.1.1:9100/', false],
  ['192.168.1.1:9100', 'http://192.168.1.1:9100/', false],
  ['192.168.1.1:9101', 'http://192.168.1.1:9100/', true],
  ['2001:db8::/32', 'http://[2001:db8::1]/', false],
  ['[2001:db8::1]:80', 'http://[2001:db8::1]/', false],
  ['2001:db8::2', 'http://[2001:db8::1]/', true],
  ['bücher.example', 'http://xn--bcher-kva.example/', false],
  [' , ,:80,', 'http://example.com/', true],
])('no_proxy %j, %s: through the proxy is %s', (noProxy, url, isThrough) => {
  const choice = new ProxyChoice({ proxyUrl, noProxy }, { HTTP_PROXY: 'http://never:1' });
  expect(choice.proxyFor(new URL(url))?.host).toBe(isThrough ? 'proxy:3128' : undefined);
});

test.each([
  [{ HTTP_PROXY: 'http://a:1', HTTPS_PROXY: 'http://b:2' }, 'a:1', 'b:2'],
  [{ http_proxy: 'http://a:1' }, 'a:1', undefined],
  [{ HTTP_PROXY: 'http://a:1', http_proxy: 'http://c:3' }, 'a:1', undefined],
  [{ HTTPS_PROXY: 'b:2' }, undefined, 'b:2'],
  [{ HTTPS_PROXY: '10.0.0.1:2' }, undefined, '10.0.0.1:2'],
  [{ HTTPS_PROXY: 'socks5://b:2' }, undefined, 'b:2'],
  [{ HTTPS_PROXY: 'ftp://b:2' }, undefined, undefined],
  [{ HTTP_PROXY: 'http://a:1', NO_PROXY: 'example.com' }, undefined, undefined],
  [{ HTTP_PROXY: 'http://a:1', REQUEST_METHOD: 'GET' }, undefined, undefined],
  [{ ALL_PROXY: 'http://a:1' }, undefined, undefined],
])('the environment %j', (environment, ofHttp, ofHttps) => {
  const choice = new ProxyChoice({ isProxyFromEnvironment: true }, environment);
  expect(choice.proxyFor(new URL('http://example.com/'))?.host).toBe(ofHttp);
  expect(choice.proxyFor(new URL('https://example.com/'))?.host).toBe(ofHttps);
});

test('without settings, the environment names no proxy', () => {
  const choice = new ProxyChoice({}, { HTTP_PROXY: 'http://a:1' });
  expect(choice.proxyFor(new URL('http://example.com/'))).toBeUndefined();
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const read = async (socket: Socket): Promise<Buffer> => ((await once(socket, 'data')) as [Buffer])[0];

/** Takes a user and a password, and one CONNECT to a host by its name; `reply` 0 grants it. */
async function socksServer(reply = 0): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const serve = async (socket: Socket): Promise<void> => {
    const methods = await read(socket);
    socket.write(Buffer.of(5, methods.includes(2, 2) ? 2 : 0));
    if (methods.includes(2, 2)) {
      const login = await read(socket);
      const userEnd = 2 + login[1]!;
      asked.push(`${login.toString('latin1', 2, userEnd)}:${login.toString('latin1', userEnd + 1)}`);
      socket.write(Buffer.of(1, 0));
    }
    const request = await read(socket);
    const host = request.toString('latin1', 5, 5 + request[4]!);
    const port = request.readUInt16BE(request.length - 2);
    asked.push(`${request[1]} ${request[3]} ${host}`);
    socket.write(Buffer.of(5, reply, 0, 1, 0, 0, 0, 0, 0, 0));
    if (reply !== 0) return void socket.end();
    const target = connect(port, '127.0.0.1');
    socket.pipe(target).pipe(socket);
    socket.on('close', () => target.destroy());
  };
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    void serve(socket);
  });
  return { url: `127.0.0.1:${await listen(server)}`, asked };
}

async function get(client: TargetClient, url: string): Promise<string> {
  const { response } = await client.get(new URL(url), {}, AbortSignal.timeout(5000));
  const chunks = (await response.toArray()) as Buffer[];
  return Buffer.concat(chunks).toString();
}

test('a SOCKS5 proxy is given the name of the host, with user and password', async () => {
  const target = createHttpServer(
    (request, response) => void response.end(`${request.headers.host}${request.url}`),
  );
  const port = await listen(target);
  const { url, asked } = await socksServer();
  const client = new TargetClient({ isFollowingRedirects: true, proxyUrl: `socks5://u:p%40@${url}` });
  expect(await get(client, `http://target.invalid:${port}/metrics`)).toBe(`target.invalid:${port}/metrics`);
  expect(asked).toEqual(['u:p@', '1 3 target.invalid']);
});

test('a SOCKS5 proxy that refuses, or is down, is named without its password', async () => {
  const { url } = await socksServer(5);
  const refused = new TargetClient({ isFollowingRedirects: true, proxyUrl: `socks5h://u:s3cret@${url}` });
  await expect(get(refused, 'http://target.invalid/')).rejects.toThrow(
    new RegExp(`^the SOCKS5 proxy ${url} refuses: (?!.*s3cret)`),
  );
  const down = new TargetClient({ isFollowingRedirects: true, proxyUrl: 'socks5://127.0.0.1:9' });
  await expect(get(down, 'http://target.invalid/')).rejects.toThrow('the SOCKS5 proxy 127.0.0.1:9 refuses');
});
