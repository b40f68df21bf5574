/**
 * Goal: HyperDX (ClickStack) finds its way about the views and shows what was sent.
 * Method: its statements, each named by the feature that sends it, with the parameters that it binds; the forms are
 * those of its packages common-utils (metadata, renderChartConfig, queryParser) and app (useRowWhere, useServiceMap,
 * DBTraceWaterfallChart), as of 2026. The sources are set up as it does for the exporter's columns.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { QueryParams, Store } from '#store/store.ts';
import { bodies, checkout, fromMs, spanIds, toMs } from './known-telemetry.ts';

type Row = Record<string, unknown>;
const { placed, failed, full, slow, signedIn, others } = bodies;

/** What it puts before a search's own condition. */
const inRange = (column = 'Timestamp') =>
  `(${column} >= fromUnixTimestamp64Milli({HYPERDX_PARAM_1:Int64}) AND ${column} <= fromUnixTimestamp64Milli({HYPERDX_PARAM_2:Int64}))`;
const range = { HYPERDX_PARAM_1: fromMs, HYPERDX_PARAM_2: toMs };
/** `open` returns the store, which has the known telemetry by the time the tests run. */
export function describeHyperdx(open: () => Store): void {
  let store: Store;
  const rows = (sql: string, params: QueryParams = {}): Promise<Row[]> => store.rows<Row>(sql, { params });
  const table = (name: string) => ({ HYPERDX_PARAM_8: 'sonde', HYPERDX_PARAM_9: name });
  const from = '{HYPERDX_PARAM_8:Identifier}.{HYPERDX_PARAM_9:Identifier}';
  beforeAll(() => {
    store = open();
  });

  describe('HyperDX', () => {
    test('detects the tables of a connection', async () => {
      const found = await rows(
        `SELECT database, name FROM system.tables WHERE (database != 'system') AND (name IN ('otel_logs','otel_traces',
          'hyperdx_sessions','otel_metrics_gauge','otel_metrics_sum','otel_metrics_summary','otel_metrics_histogram',
          'otel_metrics_exp_histogram')) ORDER BY database, name`,
      );
      expect(found).toEqual([
        { database: 'sonde', name: 'otel_logs' },
        { database: 'sonde', name: 'otel_traces' },
      ]);
    });

    test.each([
      [
        'otel_logs',
        'Timestamp Body SeverityText TraceId SpanId ServiceName LogAttributes ResourceAttributes TimestampTime',
      ],
      [
        'otel_traces',
        'Timestamp SpanName Duration SpanKind TraceId SpanId ParentSpanId ServiceName SpanAttributes ResourceAttributes StatusCode StatusMessage Events.Timestamp',
      ],
    ])('takes the columns of %s for the exporter’s schema', async (name, required) => {
      const described = await rows(`DESCRIBE ${from}`, table(name));
      expect(described.map((row) => row.name)).toEqual(expect.arrayContaining(required.split(' ')));
      // Neither DEFAULT nor MATERIALIZED: it would replace map look-ups by these columns.
      expect(described.every((row) => row.default_type === '')).toBe(true);
    });

    test('reads keys and indexes of a table: a view has none', async () => {
      const params = { HYPERDX_PARAM_3: 'sonde', HYPERDX_PARAM_4: 'otel_logs' };
      const [metadata] = await rows(
        'SELECT * FROM system.tables WHERE database = {HYPERDX_PARAM_3:String} AND name = {HYPERDX_PARAM_4:String} LIMIT 1',
        params,
      );
      expect(metadata).toMatchObject({ engine: 'View', primary_key: '', sorting_key: '', partition_key: '' });
      const indexes = await rows(
        `SELECT name, type, type_full as typeFull, expr as expression, granularity FROM system.data_skipping_indices
          WHERE database = {HYPERDX_PARAM_3:String} AND table = {HYPERDX_PARAM_4:String}`,
        params,
      );
      expect(indexes).toEqual([]);
    });

    test.each([
      ['otel_logs', 'LogAttributes', ['error.message', 'event.name', 'http.status', 'user.id']],
      ['otel_logs', 'ResourceAttributes', ['k8s.pod.name', 'service.name', 'service.version']],
      ['otel_traces', 'SpanAttributes', ['http.route']],
    ])('finds the keys of a map: %s, %s', async (name, column, keys) => {
      const found = await rows(
        `WITH sampledKeys as (
          SELECT {HYPERDX_PARAM_3:Identifier}.keys AS keysArr FROM ${from} LIMIT {HYPERDX_PARAM_4:Int32}
        )
        SELECT DISTINCT lowCardinalityKeys(arrayJoin(keysArr)) as key FROM sampledKeys LIMIT {HYPERDX_PARAM_5:Int32}`,
        { ...table(name), HYPERDX_PARAM_3: column, HYPERDX_PARAM_4: 3_000_000, HYPERDX_PARAM_5: 1000 },
      );
      // It gets a block's dictionary, cut to the block's rows: a key that fewer rows have than there are keys may be missing.
      const seen = found.map(({ key }) => key).filter((key) => key !== '');
      expect(seen.toSorted()).toEqual(keys);
    });

    test('finds the keys of a map whose keys are plain strings', async () => {
      const [found] = await rows(
        `WITH sampledKeys as (
          SELECT {HYPERDX_PARAM_3:Identifier}.keys AS keys FROM ${from} LIMIT {HYPERDX_PARAM_4:Int32}
        )
        SELECT groupUniqArrayArray({HYPERDX_PARAM_5:Int32})(keys) as keysArr FROM sampledKeys`,
        {
          ...table('otel_traces'),
          HYPERDX_PARAM_3: 'ResourceAttributes',
          HYPERDX_PARAM_4: 3_000_000,
          HYPERDX_PARAM_5: 1000,
        },
      );
      expect((found!.keysArr as string[]).toSorted()).toEqual([
        'k8s.pod.name',
        'service.name',
        'service.version',
      ]);
    });

    test('offers the values of a key', async () => {
      const found = await rows(
        `SELECT DISTINCT {HYPERDX_PARAM_3:Identifier}[{HYPERDX_PARAM_4:String}] as value FROM ${from}
          WHERE value != '' LIMIT {HYPERDX_PARAM_5:Int32}`,
        {
          ...table('otel_logs'),
          HYPERDX_PARAM_3: 'LogAttributes',
          HYPERDX_PARAM_4: 'user.id',
          HYPERDX_PARAM_5: 20,
        },
      );
      expect(found.map(({ value }) => value).toSorted()).toEqual(['u1', 'u2']);
    });

    test('offers the values of columns and keys beside a search', async () => {
      const [found] = await rows(
        `WITH sampledData AS (SELECT ServiceName as param0, SeverityText as param1, ResourceAttributes['k8s.pod.name'] as param2
          FROM sonde.otel_logs WHERE ${inRange()} LIMIT 3000000)
        SELECT groupUniqArray(20)(param0) AS param0, groupUniqArray(20)(param1) AS param1, groupUniqArray(20)(param2) AS param2
        FROM sampledData`,
        range,
      );
      const sorted = Object.values(found ?? {}).map((values) => (values as string[]).toSorted());
      expect(sorted).toEqual([
        ['pay', 'secret', 'shop'],
        ['', 'ERROR', 'INFO', 'WARN', 'Warning'],
        ['pay-0', 'secret-0', 'shop-0'],
      ]);
    });

    test('shows how values are distributed', async () => {
      const found = await rows(
        `WITH tableStats AS (SELECT count() as total, greatest(CAST(total / 100000 AS UInt32), 1) as sample_factor
          FROM sonde.otel_logs WHERE ${inRange()})
        SELECT ServiceName AS __hdx_value, count() as __hdx_count,
          __hdx_count / (sum(__hdx_count) OVER ()) * 100 AS __hdx_percentage
        FROM sonde.otel_logs
        WHERE ${inRange()} AND (cityHash64(Timestamp, rand()) % (SELECT sample_factor FROM tableStats) = 0)
        GROUP BY __hdx_value ORDER BY __hdx_percentage DESC LIMIT 100`,
        range,
      );
      expect(found.map(({ __hdx_value: value, __hdx_percentage: share }) => [value, share])).toEqual([
        ['shop', 50],
        ['pay', expect.closeTo(33.33, 1)],
        ['secret', expect.closeTo(16.67, 1)],
      ]);
    });

    test.each([
      ['everything', '', [signedIn, slow, full, failed, placed, others]],
      [
        'order alice',
        "((hasToken(lower(Body), lower('order'))) AND (hasToken(lower(Body), lower('alice'))))",
        [placed],
      ],
      [
        '"failed to fetch"',
        "((hasToken(lower(Body), lower('failed')) AND hasToken(lower(Body), lower('to')) AND hasToken(lower(Body), lower('fetch')) AND (lower(Body) LIKE lower('%failed to fetch%'))))",
        [failed],
      ],
      ['*full*', "((lower(Body) LIKE lower('%full%')))", [full]],
      ['ServiceName:pa', "((ServiceName ILIKE '%pa%'))", [signedIn, slow]],
      ['ServiceName:"pay"', "((ServiceName = 'pay'))", [signedIn, slow]],
      ['-ServiceName:"shop"', "((ServiceName != 'shop'))", [signedIn, slow, others]],
      ['SeverityText:warn', "((SeverityText ILIKE '%warn%'))", [slow, full]],
      ['SeverityNumber:>10', "((SeverityNumber > '10'))", [slow, full, failed]],
      [
        'LogAttributes.error.message:"Failed to fetch"',
        "((`LogAttributes`['error.message'] = 'Failed to fetch' AND indexHint(mapContains(`LogAttributes`, 'error.message'))))",
        [failed],
      ],
      [
        'LogAttributes.user.id:*',
        "(notEmpty(`LogAttributes`['user.id']) = 1 AND indexHint(mapContains(`LogAttributes`, 'user.id')))",
        [failed, placed],
      ],
      [
        'LogAttributes.http.status:>500',
        "((`LogAttributes`['http.status'] > '500' AND indexHint(mapContains(`LogAttributes`, 'http.status'))))",
        [failed],
      ],
      ['EventName:"user.login"', "((EventName = 'user.login'))", [signedIn]],
      ['a picked value', "(ServiceName IN ('shop')) AND (LogAttributes['user.id'] IN ('u1'))", [placed]],
      ['Tenant:"other"', "((Tenant = 'other'))", [others]],
    ])('searches logs: %s', async (_search, condition, bodies) => {
      const where = condition === '' ? inRange() : `${inRange()} AND ${condition}`;
      const found = await rows(
        `SELECT Timestamp, ServiceName as service, SeverityText as level, Body FROM sonde.otel_logs
          WHERE ${where} ORDER BY Timestamp DESC, Body DESC LIMIT 200 OFFSET 0`,
        range,
      );
      expect(found.map((row) => row.Body)).toEqual(bodies);
    });

    test('searches logs by the column of seconds', async () => {
      const found = await rows(
        `SELECT Timestamp, ServiceName as service, SeverityText as level, Body FROM sonde.otel_logs
          WHERE ${inRange('TimestampTime')} AND (ServiceName = 'shop') ORDER BY (TimestampTime, Timestamp) DESC LIMIT 1`,
        range,
      );
      expect(found).toEqual([
        { Timestamp: '2026-11-20 10:01:10.000000000', service: 'shop', level: 'WARN', Body: full },
      ]);
    });

    test('counts lines by severity over time', async () => {
      const bucket = 'toStartOfInterval(toDateTime(Timestamp), INTERVAL 1 minute) AS `__hdx_time_bucket`';
      const found = await rows(
        `SELECT count(),SeverityText AS \`SeverityText\`,${bucket} FROM sonde.otel_logs WHERE ${inRange()}
          AND (Tenant = 'default') GROUP BY SeverityText AS \`SeverityText\`,${bucket} ORDER BY ${bucket} LIMIT 100000`,
        range,
      );
      const counts = found.map((row) => `${row.__hdx_time_bucket} ${row.SeverityText} ${row['count()']}`);
      expect(counts.toSorted()).toEqual([
        '2026-11-20 10:00:00 ERROR 1',
        '2026-11-20 10:00:00 INFO 1',
        '2026-11-20 10:01:00 WARN 1',
        '2026-11-20 10:01:00 Warning 1',
        '2026-11-20 10:02:00 INFO 1',
      ]);
    });

    test('fills a chart’s empty times', async () => {
      const bucket = 'toStartOfInterval(toDateTime(Timestamp), INTERVAL 1 minute) AS `__hdx_time_bucket`';
      const step = (param: string) =>
        `toUnixTimestamp(toStartOfInterval(fromUnixTimestamp64Milli({${param}:Int64}), INTERVAL 1 minute))`;
      const found = await rows(
        `SELECT countIf(ServiceName = 'shop') AS \`n\`,${bucket} FROM sonde.otel_logs WHERE ${inRange()} GROUP BY ${bucket}
          ORDER BY ${bucket} WITH FILL FROM ${step('HYPERDX_PARAM_1')} TO ${step('HYPERDX_PARAM_2')} STEP 60`,
        range,
      );
      expect(found.map(({ n }) => n)).toEqual(['0', '2', '1', '0', '0', '0', '0', '0', '0', '0', '0']);
    });

    test('opens a line by what its row shows', async () => {
      const [line] = await rows(
        `SELECT *,Timestamp AS "__hdx_timestamp",Body AS "__hdx_body",TraceId AS "__hdx_trace_id",SpanId AS "__hdx_span_id",
          SeverityText AS "__hdx_severity_text",ServiceName AS "__hdx_service_name",
          ResourceAttributes AS "__hdx_resource_attributes",LogAttributes AS "__hdx_event_attributes"
        FROM sonde.otel_logs WHERE (Timestamp=parseDateTime64BestEffort('2026-11-20T10:00:00.123456789Z', 9) AND
          ServiceName='shop' AND SeverityText='INFO' AND Body='${placed}' AND LogAttributes=JSONExtract('{"user.id":"u1"}',
          'Map(LowCardinality(String), String)')) LIMIT 1`,
      );
      expect(line).toMatchObject({
        __hdx_timestamp: '2026-11-20 10:00:00.123456789',
        __hdx_trace_id: checkout,
        __hdx_span_id: spanIds.cart,
        __hdx_severity_text: 'INFO',
        __hdx_event_attributes: { 'user.id': 'u1' },
        __hdx_resource_attributes: {
          'service.name': 'shop',
          'service.version': '1.2',
          'k8s.pod.name': 'shop-0',
        },
        ScopeName: 'shop-logger',
        ScopeVersion: '3',
        SeverityNumber: 9,
      });
    });

    test('opens a span with its exception and events', async () => {
      const [span] = await rows(
        `SELECT *,Timestamp AS "__hdx_timestamp",SpanName AS "__hdx_body",StatusCode AS "__hdx_severity_text",
          SpanAttributes AS "__hdx_event_attributes",
          Events.Attributes[indexOf(Events.Name, 'exception')] AS "__hdx_events_exception_attributes",
          Events AS "__hdx_span_events"
        FROM sonde.otel_traces WHERE (TraceId='${checkout}' AND SpanId='${spanIds.charge}' AND
          Timestamp=parseDateTime64BestEffort('2026-11-20T10:00:29.5Z', 9)) LIMIT 1`,
      );
      expect(span).toMatchObject({
        __hdx_body: 'charge',
        __hdx_severity_text: 'Error',
        __hdx_events_exception_attributes: { 'exception.message': 'no funds' },
        __hdx_span_events: [
          {
            Timestamp: '2026-11-20 10:00:29.700000000',
            Name: 'exception',
            Attributes: { 'exception.message': 'no funds' },
          },
        ],
        StatusMessage: 'card declined',
        TraceState: 'a=b',
      });
    });

    test('searches spans', async () => {
      const found = await rows(
        `SELECT Timestamp, ServiceName as service, StatusCode as level, round(Duration / 1e6) as duration, SpanName
          FROM sonde.otel_traces WHERE ${inRange()} AND ((hasToken(lower(SpanName), lower('charge')))) ORDER BY Timestamp DESC LIMIT 200`,
        range,
      );
      expect(
        found.map(({ service, level, duration, SpanName }) => [service, level, duration, SpanName]),
      ).toEqual([
        ['pay', 'Error', 500, 'charge'],
        ['shop', 'Unset', 1000, 'POST /charge'],
      ]);
    });

    test('draws the spans and lines of a trace', async () => {
      const spans = await rows(
        `SELECT SpanName AS \`Body\`,Timestamp AS \`Timestamp\`,SpanId AS \`SpanId\`,ServiceName AS \`ServiceName\`,
          (Duration)/1e9 AS \`Duration\`,ParentSpanId AS \`ParentSpanId\`,StatusCode AS \`StatusCode\`,
          SpanAttributes AS \`SpanAttributes\`,Events AS \`SpanEvents\`
        FROM sonde.otel_traces WHERE ${inRange()} AND (TraceId = '${checkout}') ORDER BY Timestamp ASC LIMIT 10001`,
        range,
      );
      expect(
        spans.map(({ Body, SpanId, ParentSpanId, Duration }) => [Body, SpanId, ParentSpanId, Duration]),
      ).toEqual([
        ['GET /cart', spanIds.cart, '', 2],
        ['POST /charge', spanIds.post, spanIds.cart, 1],
        ['charge', spanIds.charge, spanIds.post, 0.5],
      ]);
      const lines = await rows(
        `SELECT Body AS \`Body\`,Timestamp AS \`Timestamp\`,SpanId AS \`SpanId\`,ServiceName AS \`ServiceName\`,SeverityText AS \`SeverityText\`
        FROM sonde.otel_logs WHERE ${inRange()} AND (TraceId = '${checkout}') ORDER BY Timestamp ASC LIMIT 10001`,
        range,
      );
      expect(lines.map(({ Body, SpanId }) => [Body, SpanId])).toEqual([
        [placed, spanIds.cart],
        [failed, spanIds.post],
      ]);
    });

    test('draws who calls whom', async () => {
      const spansOf = (kinds: string) =>
        `SELECT TraceId AS \`traceId\`,SpanId AS \`spanId\`,ServiceName AS \`serviceName\`,ParentSpanId AS \`parentSpanId\`,
          StatusCode AS \`statusCode\` FROM sonde.otel_traces WHERE ${inRange()} AND (cityHash64(TraceId) % 1 = 0)
          AND (SpanKind IN (${kinds}))`;
      const found = await rows(
        `WITH ServerSpans AS (${spansOf("'Server', 'Consumer', 'SPAN_KIND_SERVER', 'SPAN_KIND_CONSUMER'")}),
          ClientSpans AS (${spansOf("'Client', 'Producer', 'SPAN_KIND_CLIENT', 'SPAN_KIND_PRODUCER'")})
        SELECT ServerSpans.serviceName AS serverServiceName, ServerSpans.statusCode AS serverStatusCode,
          ClientSpans.serviceName AS clientServiceName, count(*) * {HYPERDX_PARAM_3:Int64} as requestCount
        FROM ServerSpans LEFT JOIN ClientSpans
          ON ServerSpans.traceId = ClientSpans.traceId AND ServerSpans.parentSpanId = ClientSpans.spanId
        WHERE (ClientSpans.serviceName IS NULL OR ServerSpans.serviceName != ClientSpans.serviceName)
        GROUP BY serverServiceName, serverStatusCode, clientServiceName
        ORDER BY serverServiceName, serverStatusCode, clientServiceName`,
        { ...range, HYPERDX_PARAM_3: 1 },
      );
      expect(found.map((row) => Object.values(row))).toEqual([
        ['mail', 'Unset', '', '1'],
        ['pay', 'Error', 'shop', '1'],
        ['shop', 'Unset', '', '1'],
      ]);
    });

    test('draws durations as a heatmap, but cannot compare what is selected in it: a view has no parts', async () => {
      const heatmap = await rows(
        `SELECT toStartOfInterval(toDateTime(Timestamp), INTERVAL 1 minute) AS x_bucket,
          widthBucket((Duration)/1e6, 0, 2000, 4) AS y_bucket, count() AS count
        FROM sonde.otel_traces WHERE ${inRange()} GROUP BY x_bucket, y_bucket ORDER BY x_bucket, y_bucket`,
        range,
      );
      expect(heatmap.map((row) => Object.values(row).map(String).join(' '))).toEqual([
        '2026-11-20 10:00:00 2 1',
        '2026-11-20 10:00:00 3 1',
        '2026-11-20 10:00:00 5 1',
        '2026-11-20 10:01:00 1 1',
      ]);
      const sampled = rows(
        `WITH PartIds AS (SELECT tuple(_part, _part_offset) FROM sonde.otel_traces WHERE ${inRange()}
          ORDER BY cityHash64(SpanId) DESC LIMIT 1000)
        SELECT * FROM sonde.otel_traces WHERE ${inRange()} AND indexHint((_part, _part_offset) IN PartIds)
          ORDER BY cityHash64(SpanId) DESC LIMIT 1000`,
        range,
      );
      await expect(sampled).rejects.toThrow(/_part/);
    });

    test('charts a service’s errors and slowest spans', async () => {
      const found = await rows(
        `SELECT ServiceName,countIf(lower(StatusCode) = 'error') / count() AS \`rate\`,quantile(0.5)(Duration/1e6) AS \`p50\`
          FROM sonde.otel_traces WHERE ${inRange()} AND (SpanKind IN ('Server', 'SPAN_KIND_SERVER'))
          GROUP BY ServiceName ORDER BY ServiceName`,
        range,
      );
      expect(found).toEqual([
        { ServiceName: 'pay', rate: 1, p50: 500 },
        { ServiceName: 'shop', rate: 0, p50: 2000 },
      ]);
    });
  });
}
