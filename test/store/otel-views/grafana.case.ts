/**
 * Goal: Grafana's ClickHouse data source finds its way about the views and shows what was sent.
 * Method: its statements, each named by the feature that sends it, in the form of the plugin's generator, with its macros
 * expanded as its backend does; data source settings: OpenTelemetry on, tables otel_logs and otel_traces.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Store } from '#store/store.ts';
import { checkout, fromMs, mail, spanIds, toMs } from './known-telemetry.ts';

type Row = Record<string, unknown>;

const logs = '"sonde"."otel_logs"';
const traces = '"sonde"."otel_traces"';
/** $__fromTime and $__toTime. */
const start = `toDateTime(${fromMs / 1000})`;
const end = `toDateTime(${toMs / 1000})`;
const timeFilter = (column: string) => `${column} >= ${start} AND ${column} <= ${end}`;
const errors = "StatusCode IN ('Error', 'STATUS_CODE_ERROR')";

/** `open` returns the store, which has the known telemetry by the time the tests run. */
export function describeGrafana(open: () => Store): void {
  let store: Store;
  const rows = (sql: string): Promise<Row[]> => store.rows<Row>(sql);
  const values = async (sql: string): Promise<unknown[][]> =>
    (await rows(sql)).map((row) => Object.values(row));
  beforeAll(() => {
    store = open();
  });

  describe('Grafana', () => {
    test('lists databases, tables and columns, and finds the times of traces', async () => {
      expect(await rows('SHOW DATABASES')).toContainEqual({ name: 'sonde' });
      const tables = (await rows('SHOW TABLES FROM "sonde"')).map(({ name }) => name);
      expect(tables).toEqual(expect.arrayContaining(['otel_logs', 'otel_traces', 'otel_traces_trace_id_ts']));
      const columns = await rows(`DESC TABLE ${logs}`);
      // Tells which of the exporter's two schemas of logs this is.
      expect(columns.map(({ name }) => name)).toContain('TimestampTime');
      const dashboards =
        "SELECT DISTINCT database FROM system.tables WHERE name = 'otel_traces' ORDER BY database";
      expect(await values(dashboards)).toEqual([['sonde']]);
    });

    test('offers keys and values for filters', async () => {
      const keys = `SELECT DISTINCT arrayJoin("LogAttributes".keys) as keys FROM ${logs}
        WHERE "Timestamp" >= toDateTime(${fromMs / 1000}) - INTERVAL 6 HOUR LIMIT 1000`;
      expect((await values(keys)).flat().toSorted()).toEqual([
        'error.message',
        'event.name',
        'http.status',
        'user.id',
      ]);
      const columns = `SELECT name, type, table FROM system.columns WHERE database IN ('sonde') AND table = 'otel_traces'`;
      expect(await values(columns)).toContainEqual(['ServiceName', 'LowCardinality(String)', 'otel_traces']);
      const services = 'select distinct ServiceName from sonde.otel_traces limit 1000';
      expect((await values(services)).flat().toSorted()).toEqual(['mail', 'pay', 'shop']);
      const ids = "select distinct LogAttributes['user.id'] from sonde.otel_logs limit 1000";
      expect((await values(ids)).flat().toSorted()).toEqual(['', 'u1', 'u2']);
    });

    test.each([
      [
        'a time range',
        '',
        ['signed in', 'payment slow', 'level=warn msg="disk almost full"', 'Failed to fetch cart'],
      ],
      ['a level', "AND ( level = 'ERROR' ) ", ['Failed to fetch cart']],
      [
        'levels',
        "AND ( level IN ('WARN', 'Warning') ) ",
        ['payment slow', 'level=warn msg="disk almost full"'],
      ],
      ['a text', "AND (body LIKE '%fetch%') ", ['Failed to fetch cart']],
      ['no text', "AND ( NOT ( body LIKE '%a%' ) ) ", ['signed in']],
      ['an attribute', "AND ( LogAttributes['user.id'] = 'u2' ) ", ['Failed to fetch cart']],
      [
        'an attribute of the resource',
        "AND ( ResourceAttributes['k8s.pod.name'] = 'pay-0' ) ",
        ['signed in', 'payment slow'],
      ],
      ['a trace', `AND ( traceID = '${checkout}' ) `, ['Failed to fetch cart', 'order 17 placed by alice']],
    ])('searches logs by %s', async (_filter, filter, bodies) => {
      const found = await rows(
        `SELECT Timestamp as "timestamp", Body as "body", SeverityText as "level", TraceId as "traceID", ResourceAttributes,
          ScopeAttributes, LogAttributes FROM ${logs}
        WHERE ( TimestampTime >= ${start} AND TimestampTime <= ${end} ) ${filter}AND ( Tenant = 'default' )
        ORDER BY timestamp DESC LIMIT ${bodies.length}`,
      );
      expect(found.map(({ body }) => body)).toEqual(bodies);
    });

    test('a log row has time, body, level, trace and the three maps', async () => {
      const [line] = await rows(
        `SELECT Timestamp as "timestamp", Body as "body", SeverityText as "level", TraceId as "traceID", ResourceAttributes,
          ScopeAttributes, LogAttributes FROM ${logs} WHERE ( timestamp >= ${start} AND timestamp <= ${end} )
          AND ( level = 'INFO' ) AND ( traceID != '' ) ORDER BY timestamp DESC LIMIT 1000`,
      );
      expect(line).toEqual({
        timestamp: '2026-11-20 10:00:00.123456789',
        body: 'order 17 placed by alice',
        level: 'INFO',
        traceID: checkout,
        ResourceAttributes: { 'service.name': 'shop', 'service.version': '1.2', 'k8s.pod.name': 'shop-0' },
        ScopeAttributes: {},
        LogAttributes: { 'user.id': 'u1' },
      });
    });

    const levelNames = {
      critical: ['critical', 'fatal'],
      error: ['error', 'err'],
      warn: ['warn', 'warning'],
      info: ['info', 'information'],
    };
    const volume = (column: string) =>
      Object.entries(levelNames)
        .map(([level, names]) => {
          const spelled = names.flatMap((name) => [
            name,
            name.toUpperCase(),
            name[0]!.toUpperCase() + name.slice(1),
          ]);
          return `sum(multiSearchAny(toString("${column}"), [${spelled.map((name) => `'${name}'`).join(',')}])) as ${level}`;
        })
        .join(', ');
    const volumeRows = [
      ['2026-11-20 10:00:00', '0', '1', '0', '1'],
      ['2026-11-20 10:01:00', '0', '0', '2', '0'],
      ['2026-11-20 10:02:00', '0', '0', '0', '1'],
    ];

    test('draws the volume of logs by level, of the builder’s query', async () => {
      const sql = `SELECT toStartOfInterval("Timestamp", INTERVAL 1 MINUTE) as "time", ${volume('SeverityText')} FROM ${logs}
        WHERE ( ${timeFilter('Timestamp')} ) GROUP BY time ORDER BY time ASC`;
      expect(await values(sql)).toEqual(volumeRows);
    });

    test('draws the volume of logs by level, of a person’s own query', async () => {
      const sql = `SELECT toStartOfInterval("timestamp", INTERVAL 1 MINUTE) AS "time", ${volume('level')}
        FROM (SELECT Timestamp as "timestamp", Body as "body", SeverityText as "level" FROM ${logs})
        WHERE "timestamp" >= ${start} AND "timestamp" <= ${end} GROUP BY "time" ORDER BY "time" ASC`;
      expect(await values(sql)).toEqual(volumeRows);
    });

    test('shows what came before and after a line', async () => {
      const context = (operator: string, direction: string) =>
        values(
          `SELECT Timestamp as "timestamp", Body as "body", SeverityText as "level" FROM ${logs}
            WHERE ( timestamp ${operator} fromUnixTimestamp64Nano(${BigInt(fromMs + 90_000) * 1_000_000n}) )
            AND ( ServiceName = 'shop' ) AND ( ResourceAttributes['k8s.pod.name'] = 'shop-0' )
            ORDER BY timestamp ${direction} LIMIT 10`,
        );
      expect((await context('<=', 'DESC')).map(([, body]) => body)).toEqual([
        'Failed to fetch cart',
        'order 17 placed by alice',
      ]);
      expect((await context('>=', 'ASC')).map(([, body]) => body)).toEqual([
        'Failed to fetch cart',
        'level=warn msg="disk almost full"',
      ]);
    });

    test('searches traces', async () => {
      const sql = `SELECT "TraceId" as traceID, "ServiceName" as serviceName, "SpanName" as operationName,
          "Timestamp" as startTime, multiply("Duration", 0.000001) as duration FROM ${traces}
        WHERE ( Timestamp >= ${start} AND Timestamp <= ${end} ) AND ( ParentSpanId = '' ) AND ( Duration > 0 )
        ORDER BY Timestamp DESC, Duration DESC LIMIT 1000`;
      expect(await values(sql)).toEqual([
        [checkout, 'shop', 'GET /cart', '2026-11-20 10:00:29.000000000', 2000],
      ]);
    });

    const tags = (column: string, name: string) =>
      `arrayMap(key -> map('key', key, 'value',"${column}"[key]), mapKeys("${column}")) as ${name}`;
    const spanColumns = [
      '"TraceId" as traceID, "SpanId" as spanID, "ParentSpanId" as parentSpanID, "ServiceName" as serviceName',
      '"SpanName" as operationName, multiply(toUnixTimestamp64Nano("Timestamp"), 0.000001) as startTime',
      'multiply("Duration", 0.000001) as duration',
      tags('SpanAttributes', 'tags'),
      tags('ResourceAttributes', 'serviceTags'),
      `if("StatusCode" IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) as statusCode`,
    ];
    const spanRest = ['"SpanKind" as kind, "StatusMessage" as statusMessage, "TraceState" as traceState'];
    const linkTuple = 'Tuple(traceID String, spanID String, tags Array(Map(String, String)))';
    const plain = [
      `arrayMap((name, timestamp, attributes) -> tuple(name, toString(toUnixTimestamp64Milli(timestamp)),
        arrayMap( key -> map('key', key, 'value', attributes[key]), mapKeys(attributes)))::Tuple(name String, timestamp String,
        fields Array(Map(String, String))), "Events".Name, "Events".Timestamp, "Events".Attributes) AS logs`,
      `arrayMap((traceID, spanID, attributes) -> tuple(traceID, spanID, arrayMap(key -> map('key', key, 'value',
        attributes[key]), mapKeys(attributes)))::${linkTuple}, "Links".TraceId, "Links".SpanId, "Links".Attributes) AS references`,
    ];
    const flattened = [
      `arrayMap(event -> tuple(multiply(toFloat64(event.Timestamp), 1000), arrayConcat(arrayMap(key -> map('key', key,
        'value', event.Attributes[key]), mapKeys(event.Attributes)), [map('key', 'message', 'value', event.Name)]))
        ::Tuple(timestamp Float64, fields Array(Map(String, String))), "Events") as logs`,
      `arrayMap(link -> tuple(link.TraceId, link.SpanId, arrayMap(key -> map('key', key, 'value', link.Attributes[key]),
        mapKeys(link.Attributes)))::${linkTuple}, "Links") AS references`,
    ];
    const traceTimes = (name: string) => [
      `WITH '${checkout}' as ${name}trace_id,`,
      `(SELECT min(Start) FROM "sonde"."otel_traces_trace_id_ts" WHERE TraceId = ${name}trace_id) as ${name}trace_start,`,
      `(SELECT max(End) + 1 FROM "sonde"."otel_traces_trace_id_ts" WHERE TraceId = ${name}trace_id) as ${name}trace_end`,
    ];
    const withTimes = (name: string) =>
      `traceID = ${name}trace_id AND "Timestamp" >= ${name}trace_start AND "Timestamp" <= ${name}trace_end`;
    const noFunds = { key: 'exception.message', value: 'no funds' };

    test.each([
      [
        'by its times',
        traceTimes('__gf_'),
        withTimes('__gf_'),
        plain,
        { name: 'exception', timestamp: '1795168829700', fields: [noFunds] },
      ],
      [
        'by its times, as older versions ask',
        traceTimes(''),
        withTimes(''),
        plain,
        { name: 'exception', timestamp: '1795168829700', fields: [noFunds] },
      ],
      [
        'by its id alone, columns flattened',
        [],
        `traceID = '${checkout}'`,
        flattened,
        { timestamp: 1795168829700, fields: [noFunds, { key: 'message', value: 'exception' }] },
      ],
    ])('draws a trace: %s', async (_way, before, where, nested, event) => {
      const found = await rows(
        `${before.join(' ')} SELECT ${[...spanColumns, ...nested, ...spanRest].join(', ')} FROM ${traces} WHERE ${where}
          ORDER BY startTime ASC LIMIT 1000`,
      );
      expect(found.map(({ spanID, parentSpanID, duration }) => [spanID, parentSpanID, duration])).toEqual([
        [spanIds.cart, '', 2000],
        [spanIds.post, spanIds.cart, 1000],
        [spanIds.charge, spanIds.post, 500],
      ]);
      expect(found[0]).toMatchObject({
        startTime: fromMs + 89_000,
        tags: [{ key: 'http.route', value: '/cart' }],
        statusCode: 0,
        kind: 'Server',
        logs: [],
        references: [],
      });
      expect(found[2]).toMatchObject({
        serviceTags: expect.arrayContaining([{ key: 'service.name', value: 'pay' }]),
        statusCode: 2,
        statusMessage: 'card declined',
        traceState: 'a=b',
        logs: [event],
        references: [{ traceID: mail, spanID: spanIds.mail, tags: [{ key: 'why', value: 'receipt' }] }],
      });
    });

    test('draws a time series of the builder', async () => {
      const sql = `SELECT toStartOfInterval(toDateTime(Timestamp), INTERVAL 60 second) as "time", ServiceName, count(*) as calls
        FROM ${traces} WHERE ( Timestamp >= ${start} AND Timestamp <= ${end} ) GROUP BY ServiceName, time ORDER BY time ASC, ServiceName`;
      expect(await values(sql)).toEqual([
        ['2026-11-20 10:00:00', 'pay', '1'],
        ['2026-11-20 10:00:00', 'shop', '2'],
        ['2026-11-20 10:01:00', 'mail', '1'],
      ]);
    });

    test('the plugin’s traces dashboard: services, calls between them, operations, search', async () => {
      const nodes = `SELECT ServiceName AS id, ServiceName AS title, concat(toString(count()), ' spans') AS mainstat,
          concat(toString(round(avg(Duration) / 1000000, 1)), ' ms avg') AS secondarystat,
          (count() - countIf(${errors})) / count() AS arc__success, countIf(${errors}) / count() AS arc__errors
        FROM sonde.otel_traces WHERE ${timeFilter('Timestamp')} GROUP BY ServiceName ORDER BY count() DESC, id LIMIT 30`;
      expect(await values(nodes)).toEqual([
        ['shop', 'shop', '2 spans', '1500 ms avg', 1, 0],
        ['mail', 'mail', '1 spans', '250 ms avg', 1, 0],
        ['pay', 'pay', '1 spans', '500 ms avg', 0, 1],
      ]);
      const edges = `SELECT concat(parent.ServiceName, '-', child.ServiceName) AS id, parent.ServiceName AS source,
          child.ServiceName AS target, concat(toString(count()), ' calls') AS mainstat
        FROM sonde.otel_traces AS child INNER JOIN sonde.otel_traces AS parent
          ON child.ParentSpanId = parent.SpanId AND child.TraceId = parent.TraceId
        WHERE ${timeFilter('child.Timestamp')} AND ${timeFilter('parent.Timestamp')}
          AND parent.ServiceName != child.ServiceName GROUP BY source, target ORDER BY count() DESC LIMIT 50`;
      expect(await values(edges)).toEqual([['shop-pay', 'shop', 'pay', '1 calls']]);
      const search = `SELECT TraceId, any(ServiceName) AS Service, min(Timestamp) AS Time, max(Duration) AS Duration,
          count() AS Spans, anyIf(StatusCode, ${errors}) AS Status
        FROM sonde.otel_traces WHERE ${timeFilter('Timestamp')} AND SpanName IN ('charge', 'GET /cart')
        GROUP BY TraceId HAVING 1=1 ORDER BY Time DESC LIMIT 200`;
      expect(await values(search)).toEqual([
        [checkout, expect.any(String), '2026-11-20 10:00:29.000000000', '2000000000', '2', 'Error'],
      ]);
      const operations = `SELECT SpanName AS Operation, count() AS Count, quantile(0.5)(Duration) AS P50,
          anyIf(if(StatusMessage != '', StatusMessage, SpanAttributes['http.status_code']), ${errors}) AS "Top Error"
        FROM sonde.otel_traces WHERE ${timeFilter('Timestamp')} AND ServiceName IN ('pay')
          AND positionCaseInsensitive(SpanName, 'CHARGE') > 0 GROUP BY Operation ORDER BY Count DESC LIMIT 15`;
      expect(await values(operations)).toEqual([['charge', '1', 500_000_000, 'card declined']]);
    });

    test('the plugin’s logs dashboard: what fails most', async () => {
      const sql = `SELECT SeverityText AS Level, ServiceName AS Service,
          replaceRegexpAll(Body, '(userId|orderId|traceId)=[a-zA-Z0-9-]+', '\\\\1=…') AS Message, count() AS Count
        FROM sonde.otel_logs WHERE ${timeFilter('Timestamp')}
          AND SeverityText IN ('ERROR', 'WARN', 'FATAL', 'Error', 'Warning', 'error', 'warning', 'fatal', 'CRITICAL')
          AND positionCaseInsensitive(Body, 'A') > 0 GROUP BY Level, Service, Message ORDER BY Count DESC, Message LIMIT 20`;
      expect(await values(sql)).toEqual([
        ['ERROR', 'shop', 'Failed to fetch cart', '1'],
        ['WARN', 'shop', 'level=warn msg="disk almost full"', '1'],
        ['Warning', 'pay', 'payment slow', '1'],
      ]);
    });

    test('marks deployments', async () => {
      const sql = `SELECT time, ServiceName AS tags, version FROM (
          SELECT toStartOfInterval(Timestamp, INTERVAL 30 second) AS time, ServiceName,
            topK(1)(ResourceAttributes['service.version'])[1] AS version,
            lagInFrame(topK(1)(ResourceAttributes['service.version'])[1]) OVER (PARTITION BY ServiceName ORDER BY time) AS prev_version
          FROM sonde.otel_traces WHERE ${timeFilter('Timestamp')} AND ResourceAttributes['service.version'] != ''
          GROUP BY ServiceName, time ORDER BY ServiceName, time)
        WHERE prev_version = '' ORDER BY time, tags`;
      expect((await values(sql)).map(([, tag, version]) => [tag, version])).toEqual([
        ['pay', '1.2'],
        ['shop', '1.2'],
        ['mail', '1.2'],
      ]);
    });

    test('applies ad hoc filters', async () => {
      const sql = `SELECT Body FROM sonde.otel_logs ORDER BY Timestamp
        settings additional_table_filters={'sonde.otel_logs' : ' ServiceName = \\'pay\\' AND SeverityText = \\'Warning\\' '}`;
      expect(await values(sql)).toEqual([['payment slow']]);
    });
  });
}
