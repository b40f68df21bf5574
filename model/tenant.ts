/** Tenants: who owns a row. The name travels in X-Scope-OrgID, Kafka headers and the `tenant` columns. */
import { RefusedError } from './errors.ts';

export const tenantDefault = 'default';
/** The tenant that Sonde's own telemetry is stored under. */
export const tenantSelf = 'sonde';
export const tenantHeader = 'x-scope-orgid';
/** Mimir's and Loki's bound on a tenant id: keeps it fit for headers, keys and SQL. */
export const tenantLengthMax = 150;

const tenantPattern = /^[A-Za-z0-9!_.*'()-]+$/;

/**
 * Returns the tenant that a header value names, or the default where the header is absent.
 * Throws RefusedError (400) on a name with other characters than Loki and Mimir allow.
 */
export function parseTenant(header: string | readonly string[] | undefined): string {
  const name = typeof header === 'string' ? header : header?.[0];
  if (name === undefined || name === '') return tenantDefault;
  if (name.length > tenantLengthMax) {
    throw new RefusedError(`the tenant in X-Scope-OrgID is longer than ${tenantLengthMax} characters`);
  }
  if (!tenantPattern.test(name) || name === '.' || name === '..') {
    throw new RefusedError(
      `the tenant in X-Scope-OrgID has a character that is not allowed: ${JSON.stringify(name)}`,
    );
  }
  return name;
}
