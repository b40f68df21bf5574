/** Rule groups with their history, and where each alert stands. */
import { durableSettings, type Migration } from './migration.ts';

/** One row per version and never a change: the latest is `ORDER BY version DESC LIMIT 1 BY tenant, namespace, name`. */
const ruleGroups = `
CREATE TABLE IF NOT EXISTS rule_groups (
  tenant LowCardinality(String),
  namespace String,
  name String,
  version UInt64,
  yaml String CODEC(ZSTD(1)),
  deleted UInt8,
  updated DateTime64(3, 'UTC'),
  author String
) ENGINE = MergeTree ORDER BY (tenant, namespace, name, version)
SETTINGS ${durableSettings}`;

/** Newest row wins. Times that have not come are 1970. */
const alertStates = `
CREATE TABLE IF NOT EXISTS alert_states (
  tenant LowCardinality(String),
  namespace String,
  rule_group String,
  rule String,
  labels String CODEC(ZSTD(1)),
  state LowCardinality(String),
  active_at DateTime64(3, 'UTC'),
  fired_at DateTime64(3, 'UTC'),
  resolved_at DateTime64(3, 'UTC'),
  last_sent_at DateTime64(3, 'UTC'),
  value Float64,
  updated DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree(updated) ORDER BY (tenant, namespace, rule_group, rule, labels)
SETTINGS ${durableSettings}`;

export const rulesMigration: Migration = { version: 4, name: 'rules', statements: [ruleGroups, alertStates] };
