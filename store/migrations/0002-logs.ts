/** Log records. */
import { durableSettings, type Migration } from './migration.ts';

/**
 * body_ngrams serves substrings (LogQL's |=) of four characters and more, words included, so that no index of words
 * stands beside it; attrs_text serves equality of an attribute's value.
 */
const logs = `
CREATE TABLE IF NOT EXISTS logs (
  tenant LowCardinality(String),
  ts DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
  observed_ts DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
  service LowCardinality(String),
  stream_id UInt64 CODEC(ZSTD(1)),
  severity UInt8 CODEC(ZSTD(1)),
  level LowCardinality(String),
  severity_text LowCardinality(String),
  trace_id FixedString(16) CODEC(ZSTD(1)),
  span_id FixedString(8) CODEC(ZSTD(1)),
  flags UInt8 CODEC(ZSTD(1)),
  scope_name LowCardinality(String),
  scope_version LowCardinality(String),
  labels Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(1)),
  attrs Map(LowCardinality(String), String) CODEC(ZSTD(1)),
  body String CODEC(ZSTD(1)),
  INDEX body_ngrams body TYPE ngrambf_v1(4, 65536, 3, 0) GRANULARITY 1,
  INDEX attrs_text mapValues(attrs) TYPE text(tokenizer = 'array'),
  INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree PARTITION BY toDate(ts) ORDER BY (tenant, service, ts)
SETTINGS ${durableSettings}`;

export const logsMigration: Migration = { version: 2, name: 'logs', statements: [logs] };
