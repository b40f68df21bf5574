/**
 * Goal: /ready says whether the store is well, also while the store is too busy to say so at once.
 * Method: a store whose pings the test answers one by one.
 */
import { expect, test } from 'vitest';
import { createStoreReadiness } from '../../role/store-readiness.ts';

function openStore() {
  const pings: PromiseWithResolvers<void>[] = [];
  const ping = (): Promise<void> => {
    pings.push(Promise.withResolvers<void>());
    return pings[pings.length - 1].promise;
  };
  return { store: { ping }, pings };
}

const limits = { patienceMs: 1, silenceMsMax: 60_000 };

test('a store that answers is ready, and its refusal is told', async () => {
  const { store, pings } = openStore();
  const ask = createStoreReadiness(store, { ...limits, patienceMs: 60_000 });
  pings[0].resolve();
  expect(await ask()).toEqual([]);
  const second = ask();
  pings[1].reject(new Error('connection refused'));
  expect(await second).toEqual(['the store does not answer: connection refused']);
});

test('while a ping waits, what the one before said holds, and no second one is sent', async () => {
  const { store, pings } = openStore();
  const ask = createStoreReadiness(store, limits);
  expect(await ask()).toEqual(['the store has not answered yet']);
  pings[0].resolve();
  await pings[0].promise;
  expect(await ask()).toEqual([]);
  expect(await ask()).toEqual([]);
  expect(pings).toHaveLength(2);
});

test('a store that is silent for too long is not ready', async () => {
  const { store, pings } = openStore();
  const ask = createStoreReadiness(store, { patienceMs: 1, silenceMsMax: 0 });
  pings[0].resolve();
  await pings[0].promise;
  expect(await ask()).toEqual([expect.stringMatching(/^the store has not answered for \d+ s$/)]);
});
