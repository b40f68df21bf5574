/** A read of a plan as the store is asked for it. */
import type { ReadShape } from '../plan/query-plan.ts';
import type { GridRequest, PushedFunction } from './pushed-source.ts';

/** The plan has seen to it that the store computes the function. */
export function gridRequest({ request, name, rangeMs, ends, count }: ReadShape): GridRequest {
  const { firstMs, stepMs } = ends;
  return { request, function: name as PushedFunction, rangeMs, firstMs, stepMs, count };
}
