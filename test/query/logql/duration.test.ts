/** Goal: durations mean the same nanoseconds as in Go and in Prometheus. Method: a table and a round trip. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseDurationNano, renderDuration } from '#query/logql/duration.ts';

test.each([
  ['5m', 300_000_000_000n],
  ['1h30m', 5_400_000_000_000n],
  ['1.5s', 1_500_000_000n],
  ['0.1ms', 100_000n],
  ['1µs', 1000n],
  ['1d12h', 129_600_000_000_000n],
  ['1w', 604_800_000_000_000n],
  ['', undefined],
  ['5', undefined],
  ['5x', undefined],
  ['m5', undefined],
  ['9999999h', undefined],
])('%j is %s', (text, nano) => expect(parseDurationNano(text)).toBe(nano));

test('what is printed is read back', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 62n }), (nano) => {
      expect(parseDurationNano(renderDuration(nano))).toBe(nano);
    }),
  );
});
