/**
 * Goal: a thread converts to the same bytes as the caller's own thread would, and refuses in the same words.
 * Method: the same lines below and above the size that sends them to a thread; whether they went is seen by their
 * memory, which a thread takes over.
 */
import { afterEach, expect, test } from 'vitest';
import { RefusedError } from '#model/errors.ts';
import type { ConversionTask } from '#wire/conversion/conversion.ts';
import { convert } from '#wire/conversion/convert.ts';
import { createConverterPool, inlineBytesMax } from '#wire/conversion/converter-pool.ts';

const pool = createConverterPool();
afterEach(() => pool.close());

function task(lineCount: number, more = ''): ConversionTask {
  const text =
    Array.from({ length: lineCount }, (_, i) => `cpu,host=a${i % 7} usage=${i} 5000000\n`).join('') + more;
  return {
    format: 'influx_lines',
    bytes: new Uint8Array(Buffer.from(text)),
    nowUnixNano: 5n,
    bytesMax: 10_000_000,
    influx: { precision: 'ns', database: 'd' },
  };
}

const large = inlineBytesMax / 20;

test('small bodies stay, large ones go to a thread, and both become the same', async () => {
  const small = task(10);
  expect(await pool.convert(small)).toEqual(convert(task(10)));
  expect(small.bytes.length).toBeGreaterThan(0);
  const moved = task(large, 'cpu now=1\nbad\n');
  const expected = convert(task(large, 'cpu now=1\nbad\n'));
  expect(moved.bytes.length).toBeGreaterThan(inlineBytesMax);
  expect(await pool.convert(moved)).toEqual(expected);
  expect(moved.bytes.length).toBe(0);
  expect(expected).toMatchObject({ isClocked: true, rejections: [{ count: 1 }] });
});

test('memory that others use too is copied, not moved', async () => {
  const shared = new Uint8Array(task(large).bytes.length + 1);
  shared.set(task(large).bytes, 1);
  const bytes = shared.subarray(1);
  expect(await pool.convert({ ...task(1), bytes })).toEqual(convert(task(large)));
  expect(shared.length).toBeGreaterThan(inlineBytesMax);
});

test('a refusal keeps its class, its status and its words on the way from a thread', async () => {
  const tooLarge = pool.convert({ ...task(large), bytesMax: 1000 });
  await expect(tooLarge).rejects.toBeInstanceOf(RefusedError);
  await expect(tooLarge).rejects.toMatchObject({
    status: 413,
    message: expect.stringContaining('more than 1000 bytes'),
  });
});
