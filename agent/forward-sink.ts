/** The agent's end of pushed telemetry: what applications send to the node goes on through the agent's transport. */
import { errorMessage, RefusedError, UnavailableError } from '#model/errors.ts';
import type { EnvelopeSink, Transport } from '#wire/envelope.ts';
import { checkStructure } from '#wire/protobuf/structure.ts';

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
      return await transport.send(envelope, timeout);
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
