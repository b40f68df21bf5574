/**
 * A remote write 2.0 request as lines of text, decoded by protobufjs; a value's bits are kept, so that a stale marker shows.
 *
 *   renderRequest(bytes)  ->  ['up{job="api"} 1 @1000 gauge "help"', 'gone{} stale @1000']
 */
import protobuf from 'protobufjs';

const schema = `
syntax = "proto3";
message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }
message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; Metadata metadata = 5; }
message Sample { fixed64 value = 1; int64 timestamp = 2; }
message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
`;
const requestType = protobuf.parse(schema).root.lookupType('Request');
const typeNames = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

interface PlainRequest {
  symbols: string[];
  timeseries: {
    labelsRefs: number[];
    samples: { value: string; timestamp: string }[];
    metadata: null | { type: number; helpRef: number; unitRef: number };
  }[];
}

export function decodeRequest(bytes: Uint8Array): PlainRequest {
  const options = { longs: String, defaults: true };
  return requestType.toObject(requestType.decode(bytes), options) as PlainRequest;
}

export function renderRequest(bytes: Uint8Array): string[] {
  const { symbols, timeseries } = decodeRequest(bytes);
  if (symbols[0] !== '') throw new Error('the first symbol is not ""');
  return timeseries.flatMap(({ labelsRefs, samples, metadata }) => {
    const names = labelsRefs.filter((_, i) => i % 2 === 0).map((ref) => symbols[ref]!);
    const pairs = names.map((name, i) => [name, symbols[labelsRefs[i * 2 + 1]!]!] as const);
    if (names.join() !== [...names].sort().join()) throw new Error(`labels are not sorted: ${names}`);
    const metric = pairs.find(([name]) => name === '__name__')?.[1] ?? '';
    const rest = pairs.filter(([name]) => name !== '__name__').map(([name, value]) => `${name}="${value}"`);
    const meta = metadata ? ` ${typeNames[metadata.type]} "${symbols[metadata.helpRef]}"` : '';
    const unit = metadata && metadata.unitRef > 0 ? ` ${symbols[metadata.unitRef]}` : '';
    return samples.map(
      ({ value, timestamp }) =>
        `${metric}{${rest.join(',')}} ${renderValue(BigInt(value))} @${timestamp}${meta}${unit}`,
    );
  });
}

function renderValue(bits: bigint): string {
  if (bits === 0x7ff0000000000002n) return 'stale';
  const value = new Float64Array(BigUint64Array.of(bits).buffer)[0]!;
  return Object.is(value, -0) ? '-0' : String(value);
}
