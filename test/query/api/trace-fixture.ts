/** Two tenants with a trace of the same id, in a real store. */
import { openTestStore, type TestStore } from '../sql/open-test-store.ts';

export const traceId = '00000000000000000102030405060708';

export async function openTraceStore(): Promise<TestStore> {
  const opened = await openTestStore();
  const { store } = opened;
  const id = `unhex('${traceId}')`;
  const second = '2026-01-01 00:00:00';
  await store.exec(`
    INSERT INTO trace_index VALUES
    ('default', ${id}, '${second}', '${second}'), ('other', ${id}, '${second}', '${second}')`);
  await store.exec(`
    INSERT INTO spans (tenant, ts, trace_id, span_id, parent_id, service, name, kind, duration_ns, status,
      status_message, scope_name, scope_version, labels, attrs, event_ts, event_name, event_attrs,
      link_trace_id, link_span_id, link_trace_state, link_attrs) VALUES
    ('default', '${second}', ${id}, unhex('00000000000000a1'), '', 'cart', 'GET /', 2, 2999, 0, '', '', '',
      {'service.name':'cart'}, {'http.status':'200'}, [], [], [], [], [], [], []),
    ('default', '${second}.000001999', ${id}, unhex('00000000000000b2'), unhex('00000000000000a1'), 'pay', 'charge',
      3, 1000, 2, 'refused', 'http', '1.0', {'service.name':'pay','host.name':'h'}, {},
      ['${second}.000002001'], ['exception'], [{'type':'E'}],
      [unhex('ff00000000000000000000000000000f')], [unhex('000000000000000a')], ['s'], [{}]),
    ('other', '${second}', ${id}, unhex('00000000000000c3'), '', 'secret', 'hidden', 1, 1, 0, '', '', '',
      {'service.name':'secret'}, {}, [], [], [], [], [], [], [])`);
  return opened;
}
