/** The collector's end of the direct transport: each pushed request is a run of its own, named by its batch id. */
import { RefusedError } from '#model/errors.ts';
import type { Delivery, EnvelopeSink } from '#wire/envelope.ts';
import { type RunInserter, untoldReasons } from './run.ts';

/** Returns the sink for receivers. Bytes that cannot be decoded are refused with 400 and the position. */
export function createDirectSink(insertRun: RunInserter): EnvelopeSink {
  return async ({ signal, tenant, batchId, bytes }): Promise<Delivery> => {
    const [outcome] = await insertRun([{ signal, tenant, bytes }], `direct/${tenant}/${signal}/${batchId}`);
    if (outcome === undefined) throw new Error('BUG: a run of one request had no outcome');
    if (outcome.decodeError !== undefined) {
      throw new RefusedError(`the ${signal} request could not be decoded: ${outcome.decodeError}`);
    }
    const told = outcome.rejections.filter(({ reason }) => !untoldReasons.has(reason));
    return {
      accepted: outcome.accepted,
      histograms: outcome.histograms,
      exemplars: outcome.exemplars,
      rejected: told.reduce((total, { count }) => total + count, 0),
      reason: told.map(({ message }) => message).join('; '),
    };
  };
}
