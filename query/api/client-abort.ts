/** Ties a query to the client that waits for it. */
import type { FastifyReply } from 'fastify';

/** The client closed its connection: nobody reads the answer, and nothing is wrong with us. */
export class ClientGoneError extends Error {
  constructor() {
    super('the client went away');
    this.name = 'ClientGoneError';
  }
}

/**
 * Returns a signal that aborts when the connection closes before the reply is written. (Fastify's own request.signal
 * listens to the request, which also closes as soon as a POST body has been read.)
 */
export function clientAbort(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new ClientGoneError());
  });
  return controller.signal;
}
