/**
 * Goal: our protobuf is what OTLP and Tempo define. Method: protobufjs, with the field numbers of trace.proto written
 * down here once more, reads our bytes back.
 */
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import { ProtobufWriter } from '#query/protobuf/protobuf-writer.ts';
import { encodeTraceByIdResponse, encodeTracesData } from '#query/traces/otlp-protobuf.ts';
import { sampleTrace } from './sample-trace.ts';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message AnyValue { oneof value { string string_value = 1; } }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message Scope { string name = 1; string version = 2; }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
  message Status { string message = 2; int32 code = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5;
    int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
    repeated Event events = 11; repeated Link links = 13; Status status = 15;
  }
  message ScopeSpans { Scope scope = 1; repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message TracesData { repeated ResourceSpans resource_spans = 1; }
  message TraceByIdResponse { TracesData trace = 1; int32 status = 3; }
`);

function decode(name: string, bytes: Uint8Array): unknown {
  const type = root.lookupType(name);
  return type.toObject(type.decode(bytes), { longs: String, bytes: String });
}

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });

const rootSpan = {
  traceId: base64('0102030405060708090a0b0c0d0e0f10'),
  spanId: base64('00000000000000a1'),
  name: 'GET /',
  kind: 2,
  startTimeUnixNano: '1767225600000001999',
  endTimeUnixNano: '1767225600000004998',
  attributes: [text('empty', '')],
  status: {},
};

const tracesData = {
  resourceSpans: [
    {
      resource: { attributes: [text('service.name', 'cart')] },
      scopeSpans: [
        { scope: { name: 'http', version: '1.0' }, spans: [rootSpan] },
        {
          scope: { name: 'grpc' },
          spans: [
            { ...rootSpan, spanId: base64('00000000000000c3'), parentSpanId: base64('00000000000000a1') },
          ],
        },
      ],
    },
    {
      resource: { attributes: [text('service.name', 'pay'), text('host.name', 'ü')] },
      scopeSpans: [
        {
          scope: { name: 'http', version: '1.0' },
          spans: [
            {
              ...rootSpan,
              spanId: base64('00000000000000b2'),
              parentSpanId: base64('00000000000000a1'),
              traceState: 'k=v',
              name: 'charge',
              kind: 3,
              attributes: [text('http.status', '402')],
              events: [
                { timeUnixNano: '1767225600000002001', name: 'exception', attributes: [text('type', 'E')] },
              ],
              links: [
                {
                  traceId: base64('0000000000000000ff0000000000000f'),
                  spanId: base64('000000000000000a'),
                  traceState: 's',
                  attributes: [text('l', 'm')],
                },
              ],
              status: { message: 'refused', code: 2 },
            },
          ],
        },
      ],
    },
  ],
};

test('a trace is read back by another implementation', () => {
  expect(decode('TracesData', encodeTracesData(sampleTrace))).toEqual(tracesData);
});

test("Tempo's reply holds the same trace and says that it is complete", () => {
  expect(decode('TraceByIdResponse', encodeTraceByIdResponse(sampleTrace))).toEqual({ trace: tracesData });
});

test('a message longer than the first buffer is written whole', () => {
  const long = 'x'.repeat(100_000);
  const bytes = new ProtobufWriter().text(1, long).text(2, 'y').finish();
  expect(decode('Scope', bytes)).toEqual({ name: long, version: 'y' });
});
