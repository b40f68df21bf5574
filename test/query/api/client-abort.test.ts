/** Goal: a client that leaves stops its query, one that stays does not. Method: a real socket, and a query that waits. */
import fastify, { type FastifyInstance } from 'fastify';
import { afterEach, expect, test } from 'vitest';
import { clientAbort } from '#query/api/client-abort.ts';

let app: FastifyInstance;

afterEach(() => app.close());

test('leaving aborts', async () => {
  app = fastify();
  const started = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<unknown>();
  app.get('/', async (_request, reply) => {
    const signal = clientAbort(reply);
    signal.addEventListener('abort', () => aborted.resolve(signal.reason));
    started.resolve();
    await aborted.promise;
    return 'too late';
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const client = new AbortController();
  const reply = fetch(address, { signal: client.signal }).catch(() => 'gone');
  await started.promise;
  client.abort();
  expect(await reply).toBe('gone');
  expect(String(await aborted.promise)).toBe('ClientGoneError: the client went away');
});

test('a form that was read to its end does not', async () => {
  app = fastify();
  let signal: AbortSignal | undefined;
  app.addContentTypeParser('text/x', { parseAs: 'string' }, async (_request: unknown, body: unknown) => body);
  app.post('/', async (_request, reply) => {
    signal = clientAbort(reply);
    await new Promise((resolve) => setImmediate(resolve));
    return String(signal.aborted);
  });
  const address = await app.listen({ host: '127.0.0.1', port: 0 });
  const reply = await fetch(address, { method: 'POST', body: 'x', headers: { 'content-type': 'text/x' } });
  expect(await reply.text()).toBe('false');
  expect(signal?.aborted).toBe(false);
});
