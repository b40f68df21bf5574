/**
 * The one place where a query is narrowed to a tenant. The engine itself adds `tenant = ...` to every read of every
 * tenant table (setting additional_table_filters), below aliases, subqueries, joins, unions and views, and uses it
 * on the primary key. The tenant's bytes travel as hex digits, so no name can break out of the filter.
 */
import { localTable } from './cluster/topology.ts';
import { StoreError } from './store.ts';
import { tenantTables } from './tables.ts';

/** Reads by the view's own name are reads of its target: they need the filter too. */
export const labelValuesView = 'label_values_feed';

/**
 * What SQL with a tenant must not hold, because the engine does not apply the filter there: another value for the
 * setting, table functions that reach tables by another way, and the engine's own tables (other tenants' queries).
 * Tenant queries are read-only besides. This is a net under our own SQL: people's queries never reach it as SQL.
 */
const forbidden: readonly (readonly [RegExp, string])[] = [
  [/additional_(table|result)_filter/i, 'the setting additional_table_filters'],
  [
    /\b(merge|remote|remoteSecure|cluster|clusterAllReplicas|mergeTree[A-Za-z]*|loop|file|url|s3|executable|mysql|postgresql|jdbc|odbc|sqlite|mongodb|redis|hdfs|iceberg|deltaLake|azureBlobStorage|dictionary|fuzzQuery|timeSeries(Data|Tags|Metrics|Selector))\s*\(/i,
    'a table function that reads past the tenant filter',
  ],
  [/[`"]?\b(system|information_schema)\b[`"]?\s*\./i, "the engine's own tables"],
];

/**
 * Returns the settings that narrow a query to `tenant`. On a cluster a Distributed table passes the filter on, but a
 * shard reads by its own names: those are filtered too. Throws StoreError where the text could get around them.
 */
export function tenantSettings(
  sql: string,
  database: string,
  tenant: string,
  cluster = '',
): Record<string, string> {
  for (const [pattern, name] of forbidden) {
    if (pattern.test(sql)) {
      throw new StoreError(`a query with a tenant must not use ${name}`, { retryable: false });
    }
  }
  const condition = `tenant = unhex(\\'${Buffer.from(tenant, 'utf8').toString('hex')}\\')`;
  const local = cluster === '' ? [] : tenantTables.map((table) => localTable(table, cluster));
  const tables = [...tenantTables, labelValuesView, ...local];
  const entries = tables.map((table) => `'${database}.${table}':'${condition}'`);
  return { additional_table_filters: `{${entries.join(',')}}` };
}
