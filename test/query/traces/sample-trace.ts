/** A small trace with one of everything, for the tests of its renderings. */
import type { Span, Trace } from '#query/traces/trace.ts';

const root: Span = {
  spanId: '00000000000000a1',
  parentSpanId: '',
  traceState: '',
  service: 'cart',
  name: 'GET /',
  kind: 2,
  startUnixNano: '1767225600000001999',
  endUnixNano: '1767225600000004998',
  status: 0,
  statusMessage: '',
  scopeName: 'http',
  scopeVersion: '1.0',
  resource: [['service.name', 'cart']],
  attributes: [['empty', '']],
  events: [],
  links: [],
};

const failed: Span = {
  ...root,
  spanId: '00000000000000b2',
  parentSpanId: root.spanId,
  traceState: 'k=v',
  service: 'pay',
  name: 'charge',
  kind: 3,
  status: 2,
  statusMessage: 'refused',
  resource: [
    ['service.name', 'pay'],
    ['host.name', 'ü'],
  ],
  attributes: [['http.status', '402']],
  events: [{ timeUnixNano: '1767225600000002001', name: 'exception', attributes: [['type', 'E']] }],
  links: [
    {
      traceId: '0000000000000000ff0000000000000f',
      spanId: '000000000000000a',
      traceState: 's',
      attributes: [['l', 'm']],
    },
  ],
};

export const sampleTrace: Trace = {
  traceId: '0102030405060708090a0b0c0d0e0f10',
  spans: [
    root,
    failed,
    { ...root, spanId: '00000000000000c3', parentSpanId: root.spanId, scopeName: 'grpc', scopeVersion: '' },
  ],
};
