/** The collector's end of the direct transport: pushed requests, each known by its batch id. */
import { RefusedError } from '#model/errors.ts';
import type { Delivery, EnvelopeSink } from '#wire/envelope.ts';
import { batchNote } from './batch-note.ts';
import type { Pipeline } from './pipeline.ts';
import { untoldReasons } from './run.ts';

/** Returns the sink for receivers. Bytes that cannot be decoded are refused with 400 and the position. */
export function createDirectSink({
  insertRequest,
  whenRoom,
}: Pick<Pipeline, 'insertRequest' | 'whenRoom'>): EnvelopeSink {
  const sink: EnvelopeSink = async ({ signal, tenant, batchId, bytes, isMovable }): Promise<Delivery> => {
    const note = batchNote(tenant, signal, batchId, bytes);
    const outcome = await insertRequest({ signal, tenant, bytes, isMovable, note });
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
  return Object.assign(sink, { whenRoom });
}
