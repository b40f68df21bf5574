/**
 * Goal: a list-watch stays within its bounds, and gets over what a server or a proxy before it sends.
 * Method: answers that are written out, one after another, of a real HTTP server.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type ListBounds, ListWatch } from '#agent/kubernetes/list-watch.ts';
import { eventually } from '../../support/eventually.ts';

const empty = '{"metadata":{"resourceVersion":"7"},"items":[]}';
const bounds: ListBounds = { objectsMax: 3, pagesMax: 5, page: { bytesMax: 1000, msMax: 10_000 } };

/** Lists are answered one after another, the last one again and again; the first watch with `events`, and then ended. */
async function follow(
  lists: readonly string[],
  events = '',
): Promise<{ watch: ListWatch<string>; asked: string[]; told: string[] }> {
  const asked: string[] = [];
  const told: string[] = [];
  let next = 0;
  let watches = 0;
  const server = createServer((request, response) => {
    const query = new URL(request.url!, 'http://server').searchParams;
    if (query.has('watch')) {
      response.flushHeaders();
      if (++watches === 1) response.end(events);
      return;
    }
    asked.push(`${query.get('resourceVersion')} ${query.get('continue')}`);
    response.end(lists[Math.min(next++, lists.length - 1)]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const watch = new ListWatch<string>({
    endpoint: { requestOptions: async () => ({ host: '127.0.0.1', port }) },
    path: '/api/v1/pods',
    resource: 'pods',
    pick: String,
    onReplace: (objects) => told.push(`all: ${objects}`),
    onUpsert: (object) => told.push(`upsert: ${object}`),
    onRemove: (object) => told.push(`remove: ${object}`),
    bounds,
    retry: { msMin: 1, msMax: 5 },
    random: () => 0,
  });
  onTestFinished(async () => {
    await watch.stop();
    server.closeAllConnections();
    server.close();
  });
  return { watch, asked, told };
}

test('a list from memory that is too large is asked for in pages', async () => {
  const { watch, asked } = await follow([JSON.stringify({ items: 'x'.repeat(2000) }), empty]);
  await eventually(() => watch.isReady);
  expect(asked).toEqual(['0 null', 'null null']);
});

test('more objects than there may be are a problem, and so is a list without end', async () => {
  const many = await follow(['{"metadata":{"resourceVersion":"7"},"items":[1,2,3,4]}']);
  await eventually(() => many.watch.problem() !== '');
  expect(many.watch.problem()).toBe(
    'Kubernetes pods: there are more than 3 objects: narrow them by namespaces or selectors',
  );
  expect(many.told).toEqual([]);
  const endless = await follow(['{"metadata":{"continue":"more"},"items":[]}']);
  await eventually(() => endless.watch.problem() !== '');
  expect(endless.watch.problem()).toBe('Kubernetes pods: the list has more than 5 pages');
});

test.each(['{"code":410}', '{"reason":"Expired"}', '{"reason":"Gone"}'])(
  'a version is gone by %s',
  async (status) => {
    const { watch, asked } = await follow([empty], `{"type":"ERROR","object":${status}}\n`);
    await eventually(() => asked.length === 2);
    expect(asked[1], 'the newest is asked for').toBe('null null');
    expect(watch.problem()).toBe('');
  },
);

test('an event of a type that is not known is left out, and the others are taken', async () => {
  const events = [
    '{"type":"BOOKMARK","object":1}',
    '{"type":"MOVED","object":2}',
    '{"type":"ADDED","object":3}',
  ];
  const { watch, told } = await follow([empty], `${events.join('\n')}\n`);
  await eventually(() => told.length === 2);
  expect(told).toEqual(['all: ', 'upsert: 3']);
  expect(watch.skipped).toBe(1);
});
