/**
 * Goal: the small parts hold what they promise: globs, image names, lines of a stream, memory that is bounded in size
 * and time.
 * Method: tables; and lines that are cut at every place.
 */
import { expect, test } from 'vitest';
import { imageVersion, parseImageReference } from '#agent/containers/image-reference.ts';
import { JsonLines } from '#agent/containers/json-lines.ts';
import { compileNameGlobs } from '#agent/containers/label-globs.ts';
import { RetainedMap } from '#agent/containers/retained-map.ts';
import { retryDelayMs } from '#agent/containers/retry-delay.ts';

test.each([
  [['*'], 'any/thing.at-all', true],
  [[], 'app', false],
  [['app'], 'app', true],
  [['app'], 'apple', false],
  [['app.*'], 'app.name', true],
  [['*.io/name'], 'app.kubernetes.io/name', true],
  [['*', '!com.docker.*'], 'com.docker.compose.project', false],
  [['*', '!com.docker.*'], 'com.dockers', true],
  [['a*b*c'], 'a-b-b-c', true],
  [['a*b*c'], 'a-c', false],
  [['ab*ba'], 'aba', false],
  [['*a*a*a*a*a*a*b'], 'a'.repeat(300), false],
  [['a+'], 'aa', false],
])('the globs %j choose %j: %j', (globs, name, isChosen) =>
  expect(compileNameGlobs(globs)(name)).toBe(isChosen),
);

const digest = `sha256:${'9b2e'.padEnd(64, '0')}`;
test.each([
  ['nginx', ['nginx', '', ''], ''],
  ['nginx:1.27', ['nginx', '1.27', ''], '1.27'],
  ['registry:5000/shop/cart', ['registry:5000/shop/cart', '', ''], ''],
  ['registry:5000/shop/cart:1.4', ['registry:5000/shop/cart', '1.4', ''], '1.4'],
  [`shop/cart@${digest}`, ['shop/cart', '', digest], digest],
  [`shop/cart:1.4@${digest}`, ['shop/cart', '1.4', digest], `1.4@${digest}`],
  [digest, ['', '', ''], ''],
  ['', ['', '', ''], ''],
])('the image %j is %j', (text, [name, tag, imageDigest], version) => {
  const reference = parseImageReference(text);
  expect(reference).toEqual({ name, tag, digest: imageDigest });
  expect(imageVersion(reference)).toBe(version);
});

test('lines are the same wherever they are cut', () => {
  const text = Buffer.from('{"a":"ä€😀"}\n\r\n{"b":[1,2]}\r\n{"c":"\\n"}\n{"unfinished"');
  for (let size = 1; size <= text.length; size += 1) {
    const lines = new JsonLines(100);
    const values: unknown[] = [];
    for (let at = 0; at < text.length; at += size) values.push(...lines.push(text.subarray(at, at + size)));
    expect(values).toEqual([{ a: 'ä€😀' }, { b: [1, 2] }, { c: '\n' }]);
  }
});

test('a line that is too long ends the stream, in one piece or in many', () => {
  expect(() => new JsonLines(10).push(Buffer.from('"0123456789"\n'))).toThrow('longer than 10 bytes');
  const lines = new JsonLines(10);
  lines.push(Buffer.from('"01234'));
  expect(() => lines.push(Buffer.from('56789'))).toThrow('longer than 10 bytes');
  expect(() => new JsonLines(10).push(Buffer.from('{}\n{no\n'))).toThrow(
    'a line of the stream is no JSON at byte 3',
  );
  const cut = new JsonLines(10);
  for (const piece of ['{', '}\n', '[1', ']\n']) cut.push(Buffer.from(piece));
  expect(() => cut.push(Buffer.from('no\n'))).toThrow('at byte 7');
});

test('what is removed stays for its time, gives way where there is no room, and comes back to life', () => {
  const evicted: number[] = [];
  const map = new RetainedMap<number>(3, 100, (value) => evicted.push(value));
  for (const [index, key] of ['a', 'b', 'c'].entries()) expect(map.set(key, index)).toBe(true);
  expect(map.set('d', 3), 'nothing was removed').toBe(false);
  map.remove('b', 10);
  map.remove('a', 20);
  map.remove('a', 90);
  expect([map.get('a'), map.get('b'), map.size, map.liveSize]).toEqual([0, 1, 3, 1]);
  expect(map.set('d', 3), 'the one that was removed first gives way').toBe(true);
  expect(evicted).toEqual([1]);
  map.sweep(119);
  expect(map.get('a')).toBe(0);
  map.sweep(120);
  expect(map.get('a')).toBeUndefined();
  map.keepOnly(new Set(['c']), 200);
  expect(map.set('d', 4)).toBe(true);
  map.sweep(1000);
  expect([...map.values()], 'd is back').toEqual([2, 4]);
  expect(evicted).toEqual([1, 0]);
});

test('delays are doubled up to a limit, and spread', () => {
  const delays = { msMin: 1000, msMax: 30_000 };
  expect([1, 2, 3, 6, 1000].map((failures) => retryDelayMs(delays, failures, 1))).toEqual([
    1000, 2000, 4000, 30_000, 30_000,
  ]);
  expect(retryDelayMs(delays, 1, 0)).toBe(500);
});
