/**
 * The agent's end of pushed telemetry: what applications send to the node goes on through the agent's transport. A
 * remote write sender is told that all of its records are durable; what a collector refuses later, it counts.
 */
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import type { Delivery, Envelope, EnvelopeSink, Transport } from '#wire/envelope.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';
import { countRecords } from '#wire/remote-write/record-counts.ts';

/** A pusher waits at most this long for the next station: OTLP exporters give up after 10 s. */
const forwardTimeoutMs = 8000;

/** Answers a pusher only when the transport says durable; after the timeout it is told to come again. */
export function createForwardSink(transport: Transport): EnvelopeSink {
  return async (envelope) => {
    try {
      checkStructure(envelope.signal, envelope.bytes);
    } catch (error) {
      throw new RefusedError(
        `the ${envelope.signal} request could not be decoded: ${errorMessage(error)}`,
        400,
        {
          cause: error,
        },
      );
    }
    const timeout = AbortSignal.timeout(forwardTimeoutMs);
    try {
      return withCounts(await transport.send(envelope, timeout), envelope);
    } catch (error) {
      if (!timeout.aborted) throw error;
      throw new UnavailableError(
        `the next station does not take telemetry now (${transport.state()}): come again`,
        {
          cause: error,
          retryAfterMs: 5000,
        },
      );
    }
  };
}

/** Next stations say no numbers: without them, a sender of remote write 2.0 would take its records for lost. */
function withCounts(delivery: Delivery, { signal, bytes }: Envelope): Delivery {
  if (signal !== 'remote_write' || delivery.accepted !== undefined) return delivery;
  const { samples, histograms, exemplars } = countRecords(bytes);
  // A request of 1.0 has none: its senders ask for no numbers.
  if (samples + histograms + exemplars === 0) return delivery;
  return { ...delivery, accepted: samples + histograms, histograms, exemplars };
}
