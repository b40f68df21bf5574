/** Reads of one tenant's metrics, with the engine's refusals in a person's words. */
import { RefusedError } from '#model/errors.ts';
import { type QueryOptions, type QueryParams, type Store, StoreError } from '#store/store.ts';
import { checkBoundText } from './bound-text.ts';

/** CANNOT_COMPILE_REGEXP: RE2 refuses a pattern that our parser let through. */
const regexCode = 427;

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

/** The tenant's filter is added below, by the store. */
export function createMetricRead(store: Store, tenant: string): MetricRead {
  const optionsOf = (
    params: QueryParams,
    abort: AbortSignal | undefined,
    settings: Settings = {},
  ): QueryOptions => {
    checkBoundText(params);
    return { tenant, params, settings, ...(abort === undefined ? {} : { abort }) };
  };
  return {
    rows: async <Row>(sql: string, params: QueryParams, abort?: AbortSignal, settings?: Settings) => {
      try {
        return await store.rows<Row>(sql, optionsOf(params, abort, settings));
      } catch (error) {
        throw explain(error);
      }
    },
    async *stream(sql, params, abort, settings) {
      try {
        yield* store.stream(sql, optionsOf(params, abort, settings));
      } catch (error) {
        throw explain(error);
      }
    },
  };
}

function explain(error: unknown): unknown {
  if (!(error instanceof StoreError) || error.clickhouseCode !== regexCode) return error;
  return new RefusedError(`error parsing regexp: ${error.message}`, 400, { cause: error });
}
