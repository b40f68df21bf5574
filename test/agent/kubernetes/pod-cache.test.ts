/**
 * Goal: the memory of pods is bounded in number, in time, and in what is kept of each.
 * Method: many pods that come and go, and the size of what is kept of an object that is mostly noise.
 */
import { expect, test } from 'vitest';
import { PodCache } from '#agent/kubernetes/pod-cache.ts';
import { readPod } from '#agent/kubernetes/pod-record.ts';
import { podObject } from '../../support/kube-objects.ts';

function cacheOf(podsMax: number, now: () => number): PodCache {
  return new PodCache({
    choice: { podLabel: () => true, podAnnotation: () => false, isServiceFromLabels: true },
    keepDeletedMs: 1000,
    rootOf: () => undefined,
    surroundings: () => ({}),
    now,
    podsMax,
  });
}
const podNumber = (index: number) =>
  readPod(podObject({ name: `p-${index}`, uid: `uid-${index}` }), () => false);
const placeOf = (index: number) => ({ podUid: `uid-${index}`, containerName: 'web' });

test('pods that come and go leave nothing behind but the last of them', () => {
  let now = 0;
  const cache = cacheOf(100, () => now);
  for (let index = 0; index < 5000; index += 1) {
    now += 1;
    cache.upsert(podNumber(index));
    cache.remove(podNumber(index));
  }
  expect([cache.size, cache.liveSize, cache.refused]).toEqual([100, 0, 0]);
  expect(cache.find(placeOf(4900))).toBeDefined();
  expect(cache.find(placeOf(4899)), 'the oldest gave way').toBeUndefined();
  expect(cache.find({ namespace: 'shop', podName: 'p-4899', containerName: 'web' })).toBeUndefined();
  now += 2000;
  cache.sweep();
  expect([cache.size, [...cache.byContainerId()].length]).toEqual([0, 0]);
  expect(cache.find({ namespace: 'shop', podName: 'p-4999', containerName: 'web' })).toBeUndefined();
});

test('more pods than there is room for are counted, and those that are known stay so', () => {
  const cache = cacheOf(10, () => 0);
  for (let index = 0; index < 15; index += 1) cache.upsert(podNumber(index));
  expect([cache.size, cache.refused]).toEqual([10, 5]);
  expect(cache.find(placeOf(9))).toBeDefined();
  expect(cache.find(placeOf(10))).toBeUndefined();
});

test('a pod of a StatefulSet that is made anew is found by its name, and the old one by its uid', () => {
  const cache = cacheOf(10, () => 0);
  const made = (uid: string) => readPod(podObject({ name: 'db-0', uid }), () => false);
  cache.upsert(made('old'));
  cache.remove(made('old'));
  cache.upsert(made('new'));
  const byName = { namespace: 'shop', podName: 'db-0', containerName: 'web' };
  expect(cache.find(byName)?.attributes['k8s.pod.uid']).toBe('new');
  expect(cache.find({ podUid: 'old', containerName: 'web' })?.attributes['k8s.pod.uid']).toBe('old');
  cache.sweep();
  expect(cache.find(byName)?.attributes['k8s.pod.uid']).toBe('new');
});

test('of a large object only what is used is kept', () => {
  const object = podObject({
    name: 'big',
    uid: 'uid-big',
    annotations: {
      'kubectl.kubernetes.io/last-applied-configuration': 'x'.repeat(200_000),
      'sonde.io/logs': 'true',
    },
    containers: [
      {
        name: 'web',
        env: Array.from({ length: 500 }, (_, index) => ({ name: `V${index}`, value: 'hunter2' })),
      },
    ],
  });
  const kept = JSON.stringify(readPod(object, (key) => key.startsWith('sonde.io/')));
  expect(kept.length).toBeLessThan(1500);
  expect(kept).not.toContain('hunter2');
});
