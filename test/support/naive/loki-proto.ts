/**
 * Loki push requests (not compressed) as plain objects, by protobufjs.
 *
 *   encodeLokiPush({ streams: [{ labels: '{app="a"}', entries: [{ timestamp: { seconds: 5, nanos: 1 }, line: 'hi' }] }] })
 */
import protobuf from 'protobufjs';
import { protoCodec } from './otlp-proto.ts';

const schema = `
syntax = "proto3";
message PushRequest { repeated StreamAdapter streams = 1; string format = 2; }
message StreamAdapter { string labels = 1; repeated EntryAdapter entries = 2; uint64 hash = 3; }
message EntryAdapter {
  Timestamp timestamp = 1; string line = 2; repeated LabelPairAdapter structured_metadata = 3;
  repeated LabelPairAdapter parsed = 4;
}
message LabelPairAdapter { string name = 1; string value = 2; }
message Timestamp { int64 seconds = 1; int32 nanos = 2; }
`;

/** logproto.PushRequest. */
export const encodeLokiPush = protoCodec(protobuf.parse(schema).root, 'PushRequest').encode;
