/** Goal: fingerprints are those that Prometheus and Alertmanager compute. Method: values from FNV-1a's definition. */
import { expect, test } from 'vitest';
import { fnv1a64 } from '#query/rules/fnv1a.ts';
import { fingerprint } from '#query/rules/notify/alert-notice.ts';

test.each([
  ['', 'cbf29ce484222325'],
  ['a', 'af63dc4c8601ec8c'],
  ['foobar', '85944171f73967e8'],
])('FNV-1a of %j is the published value', (text, hash) => {
  expect(fnv1a64(Buffer.from(text)).toString(16)).toBe(hash);
});

test('no labels have the basis as their fingerprint, and 16 digits are kept', () => {
  expect(fingerprint([])).toBe('cbf29ce484222325');
});

test('a name and a value are told apart', () => {
  expect(fingerprint([['ab', 'c']])).not.toBe(fingerprint([['a', 'bc']]));
});
