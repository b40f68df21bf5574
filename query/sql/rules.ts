/** Rule groups in the store: every version is kept, the newest wins, a deletion is a version too. */
import type { Store } from '#store/store.ts';

/** Names a group: unique within a tenant. */
export interface RuleGroupKey {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
}

export interface StoredRuleGroup extends RuleGroupKey {
  readonly version: number;
  readonly yaml: string;
}

export interface RuleGroupChange extends RuleGroupKey {
  readonly yaml: string;
  readonly isDeleted: boolean;
  readonly author: string;
  readonly updatedMs: number;
}

/** More groups of one tenant than this are not listed: a bound on memory, far above Mimir's default of 70. */
export const ruleGroupsPerTenantMax = 5000;

/** Appends a version. Two processes that write at once make two of the same number; the later time wins everywhere. */
export async function insertRuleGroup(store: Store, change: RuleGroupChange): Promise<void> {
  await store.exec(
    `INSERT INTO rule_groups (tenant, namespace, name, version, yaml, deleted, updated, author)
     SELECT {tenant:String}, {namespace:String}, {name:String},
       (SELECT max(version) + 1 FROM rule_groups
        WHERE tenant = {tenant:String} AND namespace = {namespace:String} AND name = {name:String}),
       {yaml:String}, {deleted:UInt8}, fromUnixTimestamp64Milli({updated_ms:Int64}, 'UTC'), {author:String}`,
    {
      params: {
        tenant: change.tenant,
        namespace: change.namespace,
        name: change.name,
        yaml: change.yaml,
        deleted: change.isDeleted ? 1 : 0,
        updated_ms: change.updatedMs,
        author: change.author,
      },
    },
  );
}

/** Returns a tenant's groups, sorted by namespace and name. */
export async function selectRuleGroups(store: Store, tenant: string): Promise<StoredRuleGroup[]> {
  const rows = await store.rows<{ namespace: string; name: string; latest: string; text: string }>(
    `SELECT namespace, name, max(version) AS latest, argMax(yaml, (version, updated)) AS text
     FROM rule_groups
     GROUP BY namespace, name
     HAVING argMax(deleted, (version, updated)) = 0
     ORDER BY namespace, name
     LIMIT {limit:UInt32}`,
    { tenant, params: { limit: ruleGroupsPerTenantMax } },
  );
  return rows.map((row) => ({
    tenant,
    namespace: row.namespace,
    name: row.name,
    version: Number(row.latest),
    yaml: row.text,
  }));
}

/** Returns every tenant that has groups, with a number that changes when any of them does. For the scheduler only. */
export async function selectRuleTenants(store: Store): Promise<Map<string, string>> {
  const rows = await store.rows<{ tenant: string; revision: string }>(
    `SELECT tenant, concat(toString(count()), '-', toString(max(updated))) AS revision
     FROM rule_groups GROUP BY tenant ORDER BY tenant`,
  );
  return new Map(rows.map((row) => [row.tenant, row.revision]));
}
