/** A hook for each API: also what needs no tenant refuses a bad name, or a health check would say that all is well. */
import type { FastifyRequest } from 'fastify';
import { parseTenant, tenantHeader } from '#model/tenant.ts';

/** Rejects with RefusedError (400). */
export async function checkTenant(request: FastifyRequest): Promise<void> {
  parseTenant(request.headers[tenantHeader]);
}
