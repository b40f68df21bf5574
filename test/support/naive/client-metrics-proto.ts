/**
 * Pages of Prometheus' protobuf format (io.prometheus.client, published as client_model/metrics.proto) as plain objects, by
 * protobufjs. Names are lowerCamelCase.
 *
 *   encodePage([{ name: 'up', type: 1, metric: [{ gauge: { value: 1 } }] }])
 */
import protobuf from 'protobufjs';

const schema = `
syntax = "proto2";
message LabelPair { optional string name = 1; optional string value = 2; }
message Gauge { optional double value = 1; }
message Counter { optional double value = 1; optional Exemplar exemplar = 2; optional Timestamp created_timestamp = 3; }
message Quantile { optional double quantile = 1; optional double value = 2; }
message Summary {
  optional uint64 sample_count = 1; optional double sample_sum = 2; repeated Quantile quantile = 3;
  optional Timestamp created_timestamp = 4;
}
message Untyped { optional double value = 1; }
message Histogram {
  optional uint64 sample_count = 1; optional double sample_count_float = 4; optional double sample_sum = 2;
  repeated Bucket bucket = 3; optional Timestamp created_timestamp = 15;
  optional sint32 schema = 5; optional double zero_threshold = 6;
  optional uint64 zero_count = 7; optional double zero_count_float = 8;
  repeated BucketSpan negative_span = 9; repeated sint64 negative_delta = 10; repeated double negative_count = 11;
  repeated BucketSpan positive_span = 12; repeated sint64 positive_delta = 13; repeated double positive_count = 14;
  repeated Exemplar exemplars = 16;
}
message Bucket {
  optional uint64 cumulative_count = 1; optional double cumulative_count_float = 4; optional double upper_bound = 2;
  optional Exemplar exemplar = 3;
}
message BucketSpan { optional sint32 offset = 1; optional uint32 length = 2; }
message Exemplar { repeated LabelPair label = 1; optional double value = 2; optional Timestamp timestamp = 3; }
message Timestamp { optional int64 seconds = 1; optional int32 nanos = 2; }
message Metric {
  repeated LabelPair label = 1; optional Gauge gauge = 2; optional Counter counter = 3; optional Summary summary = 4;
  optional Untyped untyped = 5; optional Histogram histogram = 7; optional int64 timestamp_ms = 6;
}
message MetricFamily {
  optional string name = 1; optional string help = 2; optional int32 type = 3; repeated Metric metric = 4;
  optional string unit = 5;
}
`;
const family = protobuf.parse(schema).root.lookupType('MetricFamily');
// client_golang packs nothing, others pack: readers must take both.
const packedSchema = schema.replaceAll(/(repeated (?:sint64|double) \w+ = \d+);/g, '$1 [packed=true];');
const packedFamily = protobuf.parse(packedSchema).root.lookupType('MetricFamily');

/** MetricType by name. */
export const clientTypes = { counter: 0, gauge: 1, summary: 2, untyped: 3, histogram: 4, gaugeHistogram: 5 };

export function encodePage(families: readonly object[], isPacked = false): Uint8Array {
  const type = isPacked ? packedFamily : family;
  return Buffer.concat(families.map((plain) => type.encodeDelimited(type.fromObject(plain)).finish()));
}
