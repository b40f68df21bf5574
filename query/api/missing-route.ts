/** Routes that the original server has and we have not yet. */
import type { FastifyInstance } from 'fastify';
import { RefusedError } from '#model/errors.ts';

/** Refuses `url` by name before a body is read, so that its type and size do not matter. `fact` says why. */
export function addMissingRoute(
  scope: FastifyInstance,
  url: string,
  what: string,
  status = 501,
  fact = 'is not supported yet',
): void {
  const refuse = async (): Promise<never> => {
    throw new RefusedError(`${what} ${fact}`, status);
  };
  scope.route({ method: ['GET', 'POST', 'PUT', 'DELETE'], url, onRequest: refuse, handler: refuse });
}
