/** Goal: whatever is thrown becomes a StoreError that says whether to repeat. Method: a table of what engines say. */
import { expect, test } from 'vitest';
import { toStoreError } from '#store/clickhouse-error.ts';
import { StoreError } from '#store/store.ts';

const socketError = (code: string) => Object.assign(new Error(`connect ${code} 127.0.0.1:8123`), { code });

test.each([
  { thrown: new Error('Code: 241. DB::Exception: Memory limit'), code: 241, retryable: true },
  { thrown: new Error('Code: 252. DB::Exception: Too many parts (3000)'), code: 252, retryable: true },
  { thrown: new Error('Code: 243. DB::Exception: Not enough space'), code: 243, retryable: true },
  { thrown: new Error('Code: 159. DB::Exception: Timeout exceeded'), code: 159, retryable: true },
  { thrown: new Error('Code: 62. DB::Exception: Syntax error'), code: 62, retryable: false },
  { thrown: new Error('Code: 33. DB::Exception: Cannot read all data'), code: 33, retryable: false },
  { thrown: Object.assign(new Error('Too many parts'), { code: '252' }), code: 252, retryable: true },
  { thrown: socketError('ECONNREFUSED'), code: undefined, retryable: true },
  { thrown: socketError('ECONNRESET'), code: undefined, retryable: true },
  { thrown: socketError('ENOSPC'), code: undefined, retryable: true },
  { thrown: new Error('Timeout error.'), code: undefined, retryable: true },
  { thrown: new Error('something else'), code: undefined, retryable: false },
  { thrown: 'a string', code: undefined, retryable: false },
])('$thrown: code $code, retryable $retryable', ({ thrown, code, retryable }) => {
  const error = toStoreError(thrown, 'insert into logs');
  expect(error).toBeInstanceOf(StoreError);
  expect(error.message).toMatch(/^insert into logs failed: /);
  expect({ code: error.clickhouseCode, retryable: error.retryable }).toEqual({ code, retryable });
  expect(error.cause).toBe(thrown);
});

test('a StoreError stays itself, and a long message is cut', () => {
  const known = new StoreError('known', { retryable: false });
  expect(toStoreError(known, 'query')).toBe(known);
  expect(toStoreError(new Error('x'.repeat(100_000)), 'query').message.length).toBeLessThan(2000);
});
