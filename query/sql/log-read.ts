/** Reads of one tenant's logs, with bounded replies and the engine's refusals in a person's words. */
import { RefusedError } from '#model/errors.ts';
import { type QueryParams, type Store, StoreError } from '#store/store.ts';
import { ParseError } from '../language/parse-error.ts';
import { checkBoundText } from './bound-text.ts';

/** Runs a SELECT for one tenant. */
export type LogRead = <Row>(sql: string, params: QueryParams, abort?: AbortSignal) => Promise<Row[]>;

/** A reply is held in memory: larger ones are refused. */
const resultBytesMax = 256 * 1024 * 1024;

const settings = { max_result_bytes: resultBytesMax, result_overflow_mode: 'throw' };

/** CANNOT_COMPILE_REGEXP: RE2 refuses a pattern that our parser let through. */
const regexCode = 427;
/** TOO_MANY_ROWS_OR_BYTES. */
const resultTooLargeCode = 396;

export function createLogRead(store: Store, tenant: string): LogRead {
  return async <Row>(sql: string, params: QueryParams, abort?: AbortSignal) => {
    checkBoundText(params);
    const options = { tenant, params, settings };
    try {
      return await store.rows<Row>(sql, abort === undefined ? options : { ...options, abort });
    } catch (error) {
      throw explain(error);
    }
  };
}

function explain(error: unknown): unknown {
  if (!(error instanceof StoreError)) return error;
  if (error.clickhouseCode === regexCode) {
    return new ParseError(`parse error : error parsing regexp: ${error.message}`, 0, 0);
  }
  if (error.clickhouseCode === resultTooLargeCode) {
    const fact = `the result is larger than ${resultBytesMax} bytes: lower the limit or narrow the query`;
    return new RefusedError(fact, 400, { cause: error });
  }
  return error;
}
