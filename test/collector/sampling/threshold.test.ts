/**
 * Goal: thresholds and trace states are those of the OpenTelemetry specification, and nothing else in them is touched.
 * Method: tables; the examples of the specification's pages are among them.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareThresholds, parseThreshold, thresholdOf } from '#collector/sampling/threshold.ts';
import { explicitRandomness, withThreshold } from '#collector/sampling/trace-state.ts';

test.each([
  [1, '0'],
  [0.5, '8'],
  [0.25, 'c'],
  [0.1, 'e666'],
  [0.01, 'fd70a'],
  [0.001, 'ffbe77'],
  [2 ** -20, 'fffff'],
  [2 ** -56, 'ffffffffffffff'],
])('the threshold of %d is %s', (probability, text) => expect(thresholdOf(probability).text).toBe(text));

test('a threshold is read as it was written, and falls as the probability grows', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1, noNaN: true }), (probability) => {
      const threshold = thresholdOf(probability);
      expect(parseThreshold(threshold.text)).toEqual(threshold);
      const kept = 1 - (threshold.high * 2 ** 32 + threshold.low) / 2 ** 56;
      expect(Math.abs(kept / probability - 1)).toBeLessThan(0.001);
      expect(
        compareThresholds(threshold, thresholdOf(Math.min(1, probability * 1.1))),
      ).toBeGreaterThanOrEqual(0);
    }),
  );
});

test.each(['', 'g', '123456789012345', 'C', ' 8'])('%j is no threshold', (text) =>
  expect(parseThreshold(text)).toBeUndefined(),
);

const quarter = thresholdOf(0.25);
const members = Array.from({ length: 32 }, (_, index) => `v${index}=1`);
test.each([
  { name: 'an empty state', before: '', after: 'ot=th:c' },
  { name: 'members of others stay behind', before: 'a=1,b=2', after: 'ot=th:c,a=1,b=2' },
  {
    name: 'our member moves to the front',
    before: 'a=1,ot=th:8;rv:0123456789abcd',
    after: 'ot=th:c;rv:0123456789abcd,a=1',
  },
  { name: 'a higher threshold stays', before: 'ot=th:c1', after: 'ot=th:c1' },
  { name: 'the same threshold stays', before: 'a=1,ot=th:c', after: 'a=1,ot=th:c' },
  { name: 'a threshold that is none is replaced', before: 'ot=th:xyz;k:1', after: 'ot=th:c;k:1' },
  { name: 'a key that only begins like ours', before: 'other=1,otx=2', after: 'ot=th:c,other=1,otx=2' },
  {
    name: 'no more than 32 members',
    before: members.join(','),
    after: `ot=th:c,${members.slice(0, 31).join(',')}`,
  },
])('raised: $name', ({ before, after }) => expect(withThreshold(before, quarter)).toBe(after));

test.each([
  { name: 'an empty state', before: '', after: '' },
  { name: 'no threshold', before: 'a=1,ot=rv:0123456789abcd', after: 'a=1,ot=rv:0123456789abcd' },
  { name: 'nothing else', before: 'ot=th:8', after: '' },
  { name: 'others', before: 'a=1,ot=th:8,b=2', after: 'a=1,b=2' },
  { name: 'the randomness stays', before: 'ot=th:8;rv:0123456789abcd', after: 'ot=rv:0123456789abcd' },
])('erased: $name', ({ before, after }) => expect(withThreshold(before, undefined)).toBe(after));

test.each([
  ['ot=rv:0123456789abcd', 0x012345],
  ['a=1, ot=th:8;rv:0123456789abcd,b=2', 0x012345],
  ['ot=rv:0123456789abc', undefined],
  ['ot=rv:0123456789abcde', undefined],
  ['a=rv:0123456789abcd', undefined],
  ['aot=rv:0123456789abcd', undefined],
])('the randomness in %s', (state, high) => expect(explicitRandomness(state)?.high).toBe(high));
