/**
 * Prometheus remote write requests (not compressed) as plain objects, by protobufjs. Names are lowerCamelCase;
 * 64-bit integers may be number, string or bigint going in, and are decimal strings coming out.
 *
 *   encodeRemoteWrite2({ symbols: ['', '__name__', 'up'], timeseries: [{ labelsRefs: [1, 2],
 *     samples: [{ value: 1, timestamp: 1700000000000 }] }] })
 */
import protobuf from 'protobufjs';
import { protoCodec } from './otlp-proto.ts';

const histogram = `
message Histogram {
  oneof count { uint64 count_int = 1; double count_float = 2; }
  double sum = 3; sint32 schema = 4; double zero_threshold = 5;
  oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
  repeated BucketSpan negative_spans = 8; repeated sint64 negative_deltas = 9; repeated double negative_counts = 10;
  repeated BucketSpan positive_spans = 11; repeated sint64 positive_deltas = 12; repeated double positive_counts = 13;
  int32 reset_hint = 14; int64 timestamp = 15; repeated double custom_values = 16; int64 start_timestamp = 17;
}
message BucketSpan { sint32 offset = 1; uint32 length = 2; }
`;

const schema1 = `
syntax = "proto3";
message WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }
message MetricMetadata { int32 type = 1; string metric_family_name = 2; string help = 4; string unit = 5; }
message TimeSeries {
  repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3;
  repeated Histogram histograms = 4;
}
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
message Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }
${histogram}`;

const schema2 = `
syntax = "proto3";
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries {
  repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
  repeated Exemplar exemplars = 4; Metadata metadata = 5; int64 created_timestamp = 6;
}
message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
message Metadata { int32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
${histogram}`;

const readSchema = `
syntax = "proto3";
message ReadRequest { repeated Query queries = 1; repeated int32 accepted_response_types = 2; }
message Query { int64 start_timestamp_ms = 1; int64 end_timestamp_ms = 2; repeated Matcher matchers = 3; }
message Matcher { int32 type = 1; string name = 2; string value = 3; }
message ReadResponse { repeated QueryResult results = 1; }
message QueryResult { repeated TimeSeries timeseries = 1; }
message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Histogram histograms = 4; }
message Label { string name = 1; string value = 2; }
message Sample { double value = 1; int64 timestamp = 2; }
${histogram}`;

const request1 = protoCodec(protobuf.parse(schema1).root, 'WriteRequest');
const request2 = protoCodec(protobuf.parse(schema2).root, 'Request');

/** prometheus.WriteRequest: `{ timeseries: [{ labels: [{ name, value }], samples }], metadata }` */
export const encodeRemoteWrite1 = request1.encode;
export const decodeRemoteWrite1 = request1.decode;
/** io.prometheus.write.v2.Request: `{ symbols, timeseries: [{ labelsRefs, samples, metadata }] }` */
export const encodeRemoteWrite2 = request2.encode;
export const decodeRemoteWrite2 = request2.decode;

const readRoot = protobuf.parse(readSchema).root;
/** prometheus.ReadRequest: `{ queries: [{ startTimestampMs, endTimestampMs, matchers }], acceptedResponseTypes }` */
export const encodeReadRequest = protoCodec(readRoot, 'ReadRequest').encode;
/** prometheus.ReadResponse: `{ results: [{ timeseries: [{ labels, samples, histograms }] }] }` */
export const decodeReadResponse = protoCodec(readRoot, 'ReadResponse').decode;
