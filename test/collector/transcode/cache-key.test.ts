/**
 * Goal: keys of different series differ, wherever the difference is, and do not depend on what is around the bytes.
 * Method: labels that count up at every place of a range, by the birthday bound of each half; each bit flipped once.
 */
import { expect, test } from 'vitest';
import { CacheKey } from '#collector/transcode/cache-key.ts';
import { RangeList } from '#collector/transcode/range-list.ts';
import { ByteView } from '#wire/protobuf/byte-view.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { Lcg } from '../../support/lcg.ts';

const key = new CacheKey();

function keyOf(source: ByteView, start: number, length: number): readonly [low: number, high: number] {
  key.begin();
  key.addRange(source, start, length);
  key.finish();
  return [key.low, key.high];
}

function repeats(halves: Int32Array): number {
  const sorted = halves.slice().sort();
  return sorted.reduce((count, half, i) => count + Number(i > 0 && half === sorted[i - 1]), 0);
}

const lengths = [6, 7, 8, 15, 16, 17, 31, 32, 47, 300];
test.each(
  lengths.flatMap((length) =>
    ['at the end', 'in the middle', 'spread out'].map((place) => ({ length, place })),
  ),
)(
  'keys of $length bytes with a number $place repeat in neither half more than by chance',
  ({ length, place }) => {
    const count = 1 << 16;
    const lows = new Int32Array(count);
    const highs = new Int32Array(count);
    const view = new ByteView(new Uint8Array(length).fill(0x61));
    const step = place === 'spread out' ? Math.floor(length / 6) : 1;
    const start = place === 'at the end' ? length - 6 : place === 'in the middle' ? (length - 6) >> 1 : 0;
    for (let i = 0; i < count; i++) {
      for (let digit = 0, rest = i; digit < 6; digit++, rest = Math.floor(rest / 10)) {
        view.bytes[start + digit * step] = 0x30 + (rest % 10);
      }
      [lows[i], highs[i]] = keyOf(view, 0, length);
    }
    const joint = lows.map((low, i) => low ^ Math.imul(highs[i]!, 3));
    // Of 65,536 random numbers of 32 bits half a pair repeats; 8 pairs do not happen.
    for (const halves of [lows, highs, joint]) expect(repeats(halves)).toBeLessThan(8);
  },
);

test('three digits anywhere in neighbouring turns of 16 bytes never give two series one key', () => {
  // What one turn has changed, the next could take back: a simpler mixing had 32 equal keys for the digits 15, 25 and 31.
  const text = new TextEncoder().encode('http.request.method=GET,route=/api/v1/orders/list?p=');
  const view = new ByteView(text.slice());
  const keys = new Float64Array(1000);
  const colliding: string[] = [];
  for (let first = 0; first < 16; first++) {
    for (let second = 16; second < 32; second++) {
      for (let third = second + 1; third < 32; third++) {
        view.bytes.set(text);
        for (let i = 0; i < keys.length; i++) {
          view.bytes[first] = 0x30 + (i % 10);
          view.bytes[second] = 0x30 + (Math.floor(i / 10) % 10);
          view.bytes[third] = 0x30 + Math.floor(i / 100);
          const [low, high] = keyOf(view, 0, text.length);
          // 53 bits of the 64 fit in a number.
          keys[i] = (low >>> 0) * 2 ** 21 + (high >>> 11);
        }
        keys.sort();
        if (keys.some((value, i) => i > 0 && value === keys[i - 1]))
          colliding.push(`${[first, second, third]}`);
      }
    }
  }
  expect(colliding).toEqual([]);
});

test.each([1, 3, 4, 12, 16, 20, 63, 260])('every bit of %i bytes reaches both halves', (length) => {
  const random = new Lcg(length);
  const view = new ByteView(random.bytes(length));
  const [low, high] = keyOf(view, 0, length);
  for (let bit = 0; bit < length * 8; bit++) {
    view.bytes[bit >> 3] ^= 1 << (bit & 7);
    const [flippedLow, flippedHigh] = keyOf(view, 0, length);
    view.bytes[bit >> 3] ^= 1 << (bit & 7);
    expect(flippedLow).not.toBe(low);
    expect(flippedHigh).not.toBe(high);
  }
});

test('a key depends on the bytes of the range alone, and on where ranges end', () => {
  const text = new TextEncoder().encode('..http.route=/cart/42 and what follows');
  const alone = new ByteView(text.slice(2, 21));
  expect(keyOf(new ByteView(text), 2, 19)).toEqual(keyOf(alone, 0, 19));
  const split = (at: number) => {
    key.begin();
    key.addRange(alone, 0, at);
    key.addRange(alone, at, 19 - at);
    key.finish();
    return `${key.low} ${key.high}`;
  };
  expect(new Set(Array.from({ length: 20 }, (_, at) => split(at))).size).toBe(20);
});

/** The key of the fields 1 of a message, as they are kept run by run. */
function keyOfFields(message: readonly number[]): string {
  const reader = new ProtobufReader();
  const ranges = new RangeList();
  reader.begin(Uint8Array.from(message));
  while (reader.position < reader.limit) {
    if (reader.readTag() === 0x0a) ranges.keepRun(reader, 0x0a);
    else reader.skip();
  }
  key.begin();
  key.addRanges(reader.source, ranges);
  return `${key.low} ${key.high}`;
}

test('what stands before, between and after the fields of a message is not part of their key', () => {
  const fields = [0x0a, 2, 0x61, 0x62, 0x0a, 1, 0x63];
  expect(keyOfFields([0x10, 1, ...fields, 0x10, 1])).toBe(keyOfFields([0x10, 2, ...fields, 0x10, 2]));
  expect(keyOfFields([...fields, 0x10, 1, ...fields])).toBe(keyOfFields([...fields, 0x10, 2, ...fields]));
  expect(keyOfFields(fields)).not.toBe(keyOfFields([0x0a, 1, 0x61, 0x0a, 2, 0x62, 0x63]));
  expect(keyOfFields([])).not.toBe(keyOfFields([0x0a, 0]));
});
