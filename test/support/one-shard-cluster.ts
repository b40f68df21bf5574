/**
 * A ClickHouse cluster as far as one engine can be one: its Distributed tables are real, over a single shard that is
 * the engine itself. There is no Keeper, so that ON CLUSTER and replication are taken out of statements.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes the engine's configuration into `directory`, and returns the argument that makes a session read it. */
export function clusterArgument(directory: string, cluster: string): string {
  const path = join(directory, 'cluster.xml');
  // A shard at the engine's own port counts as local; nothing listens there.
  const shard = '<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>';
  writeFileSync(
    path,
    `<clickhouse><tcp_port>9000</tcp_port><remote_servers><${cluster}>${shard}</${cluster}></remote_servers></clickhouse>`,
  );
  return `--config-file=${path}`;
}

/** `statement` as one engine can run it. */
export function onOneServer(statement: string): string {
  return statement
    .replace(/ ON CLUSTER '[^']*'/, '')
    .replace(/Replicated(\w*MergeTree)\('[^']*', '\{replica\}'(?:, )?/, '$1(')
    .replace(
      /\breplicated_deduplication_window = (\d+), replicated_deduplication_window_seconds = \d+/,
      'non_replicated_deduplication_window = $1',
    );
}
