/** Reads of one tenant's metrics, within what a query may read, and with the engine's refusals in a person's words. */
import { LimitError, RefusedError } from '#model/errors.ts';
import { type QueryOptions, type QueryParams, type Store, StoreError } from '#store/store.ts';
import { checkBoundText } from './bound-text.ts';

/** CANNOT_COMPILE_REGEXP: RE2 refuses a pattern that our parser let through. */
const regexCode = 427;
/** TOO_MANY_BYTES */
const bytesCode = 307;

type Settings = NonNullable<QueryOptions['settings']>;

export interface MetricRead {
  rows<Row>(sql: string, params: QueryParams, abort?: AbortSignal, settings?: Settings): Promise<Row[]>;
  stream(
    sql: string,
    params: QueryParams,
    abort?: AbortSignal,
    settings?: Settings,
  ): AsyncIterable<Uint8Array>;
}

export interface MetricReadOptions {
  /** Bytes that one statement may read from columns, and that all together may hand over; undefined is no limit. */
  readonly bytesMax?: number | undefined;
  /** Is told of each statement before it runs. */
  readonly onStatement?: ((sql: string, params: QueryParams) => void) | undefined;
}

/** The tenant's filter is added below, by the store. Both reject with LimitError over bytesMax. */
export function createMetricRead(store: Store, tenant: string, options: MetricReadOptions = {}): MetricRead {
  const { bytesMax, onStatement } = options;
  let bytesRead = 0;
  const optionsOf = (
    sql: string,
    params: QueryParams,
    abort: AbortSignal | undefined,
    settings: Settings = {},
  ): QueryOptions => {
    checkBoundText(params);
    onStatement?.(sql, params);
    const limits = bytesMax === undefined ? {} : { max_bytes_to_read: bytesMax };
    const all = { tenant, params, settings: { ...limits, ...settings } };
    return abort === undefined ? all : { ...all, abort };
  };
  const explain = (error: unknown): unknown => {
    if (!(error instanceof StoreError)) return error;
    if (error.clickhouseCode === bytesCode && bytesMax !== undefined) return tooManyBytes(bytesMax);
    if (error.clickhouseCode !== regexCode) return error;
    return new RefusedError(`error parsing regexp: ${error.message}`, 400, { cause: error });
  };
  return {
    rows: async <Row>(sql: string, params: QueryParams, abort?: AbortSignal, settings?: Settings) => {
      try {
        return await store.rows<Row>(sql, optionsOf(sql, params, abort, settings));
      } catch (error) {
        throw explain(error);
      }
    },
    async *stream(sql, params, abort, settings) {
      try {
        for await (const bytes of store.stream(sql, optionsOf(sql, params, abort, settings))) {
          bytesRead += bytes.length;
          if (bytesMax !== undefined && bytesRead > bytesMax) throw tooManyBytes(bytesMax);
          yield bytes;
        }
      } catch (error) {
        throw explain(error);
      }
    },
  };
}

function tooManyBytes(bytesMax: number): LimitError {
  return new LimitError(`the query reads more than ${bytesMax} bytes`, 'query.bytes_max');
}
