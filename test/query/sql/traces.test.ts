/**
 * Goal: a trace comes back as it was stored, whole, from its seconds only, and for its tenant only.
 * Method: one real store with two tenants that share a trace id.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTraceSource } from '#query/sql/traces.ts';
import type { Store } from '#store/store.ts';
import { openTestStore, type TestStore } from './open-test-store.ts';

const traceId = '0102030405060708090a0b0c0d0e0f10';
const idSql = `unhex('${traceId}')`;

let opened: TestStore;
let store: Store;

beforeAll(async () => {
  opened = await openTestStore();
  store = opened.store;
  await store.exec(`
    INSERT INTO trace_index VALUES
    ('default', ${idSql}, '2026-01-01 00:00:01', '2026-01-01 00:00:01'),
    ('default', ${idSql}, '2026-01-01 00:00:00', '2026-01-01 00:00:00'),
    ('default', unhex('ff'), '2026-01-01 00:00:00', '2026-01-01 00:00:00'),
    ('other', ${idSql}, '2026-01-01 00:00:00', '2026-01-01 00:00:00')`);
  await store.exec(`
    INSERT INTO spans (tenant, ts, trace_id, span_id, parent_id, trace_state, service, name, kind, duration_ns, status,
      status_message, scope_name, scope_version, labels, attrs, event_ts, event_name, event_attrs,
      link_trace_id, link_span_id, link_trace_state, link_attrs) VALUES
    ('default', '2026-01-01 00:00:01.999999999', ${idSql}, unhex('0000000000000002'), unhex('0000000000000001'), 'k=v',
      'pay', 'charge', 3, 5, 2, 'card refused', 'http', '1.0', {'service.name':'pay','z':'','a':'1'}, {'http.status':'402'},
      ['2026-01-01 00:00:02.000000001'], ['exception'], [{'type':'E'}],
      [unhex('ff00000000000000000000000000000f')], [unhex('000000000000000a')], ['s'], [{'l':'m'}]),
    ('default', '2026-01-01 00:00:00', ${idSql}, unhex('0000000000000001'), '', '',
      'cart', 'GET /', 2, 18446744073709551615, 0, '', '', '', {'service.name':'cart'}, {}, [], [], [], [], [], [], []),
    ('default', '2026-01-01 00:00:03', ${idSql}, unhex('0000000000000003'), '', '',
      'cart', 'not in the index', 2, 1, 0, '', '', '', {}, {}, [], [], [], [], [], [], []),
    ('other', '2026-01-01 00:00:00', ${idSql}, unhex('0000000000000009'), '', '',
      'secret', 'hidden', 1, 1, 0, '', '', '', {}, {}, [], [], [], [], [], [], [])`);
});

afterAll(() => opened[Symbol.asyncDispose]());

test('a trace is read whole, oldest span first, with nothing rounded', async () => {
  const trace = await createTraceSource(store, 'default').trace(traceId);
  const root = { parentSpanId: '', traceState: '', statusMessage: '', scopeName: '', scopeVersion: '' };
  expect(trace).toEqual({
    traceId,
    spans: [
      {
        ...root,
        spanId: '0000000000000001',
        service: 'cart',
        name: 'GET /',
        kind: 2,
        startUnixNano: '1767225600000000000',
        endUnixNano: '20213969673709551615',
        status: 0,
        resource: [['service.name', 'cart']],
        attributes: [],
        events: [],
        links: [],
      },
      {
        spanId: '0000000000000002',
        parentSpanId: '0000000000000001',
        traceState: 'k=v',
        service: 'pay',
        name: 'charge',
        kind: 3,
        startUnixNano: '1767225601999999999',
        endUnixNano: '1767225602000000004',
        status: 2,
        statusMessage: 'card refused',
        scopeName: 'http',
        scopeVersion: '1.0',
        resource: [
          ['service.name', 'pay'],
          ['z', ''],
          ['a', '1'],
        ],
        attributes: [['http.status', '402']],
        events: [{ timeUnixNano: '1767225602000000001', name: 'exception', attributes: [['type', 'E']] }],
        links: [
          {
            traceId: 'ff00000000000000000000000000000f',
            spanId: '000000000000000a',
            traceState: 's',
            attributes: [['l', 'm']],
          },
        ],
      },
    ],
  });
});

test('another tenant has its own trace of the same id, a third one none', async () => {
  const other = await createTraceSource(store, 'other').trace(traceId);
  expect(other?.spans.map((span) => span.name)).toEqual(['hidden']);
  expect(await createTraceSource(store, 'third').trace(traceId)).toBeUndefined();
});

test('an id without spans is no trace', async () => {
  const source = createTraceSource(store, 'default');
  expect(await source.trace('00000000000000000000000000000001')).toBeUndefined();
  // In the index already, its spans not yet.
  expect(await source.trace('ff000000000000000000000000000000')).toBeUndefined();
});

test('services and operations are those of the range and the tenant', async () => {
  const source = createTraceSource(store, 'default');
  const day = Date.parse('2026-01-01T00:00:00Z');
  expect(await source.services(day, day + 1000)).toEqual(['cart']);
  expect(await source.services(day, day + 5000)).toEqual(['cart', 'pay']);
  expect(await source.services(day + 5000, day + 9000)).toEqual([]);
  expect(await source.operations('cart', day, day + 5000)).toEqual([
    { name: 'GET /', kind: 2 },
    { name: 'not in the index', kind: 2 },
  ]);
  expect(await source.operations('secret', day, day + 5000)).toEqual([]);
});
