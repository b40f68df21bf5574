/**
 * Goal: whatever listens at an API's address, an answer is a value or an error that a person understands.
 * Method: a table of answers of a real HTTP server.
 */
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import type { HttpEndpoint } from '#agent/containers/http-request.ts';
import { getJson, HttpStatusError, streamJson } from '#agent/containers/json-http.ts';

async function serve(answer: (response: ServerResponse) => void): Promise<HttpEndpoint> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { requestOptions: async () => ({ host: '127.0.0.1', port }) };
}

const { signal } = new AbortController();

test.each<[string, number, Record<string, string>, string, string, number]>([
  [
    'a Status',
    403,
    {},
    '{"kind":"Status","message":"pods is forbidden"}',
    'status 403: pods is forbidden',
    0,
  ],
  ['a page', 502, {}, '<html>Bad Gateway</html>', 'status 502: <html>Bad Gateway</html>', 0],
  ['nothing', 500, {}, '', 'status 500', 0],
  ['a redirect', 302, { location: 'http://elsewhere/' }, '', 'status 302', 0],
  ['a time to come back', 429, { 'retry-after': '7' }, '{"message":"busy"}', 'status 429: busy', 7000],
  ['a time that is far away', 503, { 'retry-after': '86400' }, '', 'status 503', 60_000],
  ['a message that is no text', 400, {}, '{"message":{}}', 'status 400: {"message":{}}', 0],
  ['a message without end', 400, {}, 'x'.repeat(100_000), `status 400: ${'x'.repeat(500)}`, 0],
])('an error with %s', async (_name, status, headers, body, message, retryAfterMs) => {
  const endpoint = await serve((response) => response.writeHead(status, headers).end(body));
  const error = await getJson(endpoint, '/', signal).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HttpStatusError);
  expect(error).toMatchObject({ message, status, retryAfterMs });
  await expect(streamJson(endpoint, '/', { signal, onValue: () => {} })).rejects.toThrow(message);
});

test('an answer that is no JSON, and one that is cut off', async () => {
  const text = await serve((response) => response.end('pong'));
  await expect(getJson(text, '/ping', signal)).rejects.toThrow('the answer to /ping is no JSON');
  const cut = await serve((response) => {
    response.writeHead(200, { 'content-length': '100' });
    response.write('{"a":', () => response.destroy());
  });
  await expect(getJson(cut, '/', signal)).rejects.toThrow('the connection broke within the answer');
});

test('a line without end is given up before it is gathered', async () => {
  const piece = Buffer.alloc(1024 * 1024, 'x');
  const endpoint = await serve((response) => {
    const more = (): void => void (response.destroyed || response.write(piece, () => setImmediate(more)));
    more();
  });
  await expect(streamJson(endpoint, '/', { signal, onValue: () => {} })).rejects.toThrow(
    'longer than 8388608 bytes',
  );
});

test('a stream that lasts longer than it may ends, and one that is stopped says so', async () => {
  const endpoint = await serve((response) => response.write('{}\n'));
  const values: unknown[] = [];
  await streamJson(endpoint, '/', { signal, durationMsMax: 50, onValue: (value) => values.push(value) });
  expect(values).toEqual([{}]);
  const stop = new AbortController();
  const stopped = streamJson(endpoint, '/', { signal: stop.signal, onValue: () => stop.abort() });
  await expect(stopped).rejects.toThrow();
});
