/**
 * Where tables lie: on one engine, or as local tables on every server of a ClickHouse cluster under Distributed tables
 * that have the names every query uses.
 *
 *   ''      ->  logs,        system.parts
 *   'main'  ->  logs_local,  cluster('main', system.parts)
 */

/** A name as it stands in the server's remote_servers; '' is one engine. It enters SQL text, hence its letters. */
export const clusterNamePattern = /^([A-Za-z_][A-Za-z0-9_-]{0,63})?$/;

const localSuffix = '_local';

/** The table that holds rows: partitions are dropped and sizes are read here. */
export function localTable(table: string, cluster: string): string {
  return cluster === '' ? table : `${table}${localSuffix}`;
}

/** What people call the table, from the name of the one that holds its rows. */
export function logicalTable(table: string, cluster: string): string {
  return cluster !== '' && table.endsWith(localSuffix) ? table.slice(0, -localSuffix.length) : table;
}

/** The engine's own table `name`, of one replica of every shard. */
export function systemTable(name: 'parts' | 'tables' | 'disks', cluster: string): string {
  return cluster === '' ? `system.${name}` : `cluster('${cluster}', system.${name})`;
}

/** The clause of DDL that must happen on every server, with a space before it. */
export function onCluster(cluster: string): string {
  return cluster === '' ? '' : ` ON CLUSTER '${cluster}'`;
}
