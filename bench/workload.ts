/**
 * Deterministic telemetry for the benchmarks: shapes as real senders have them, bytes the same in every run.
 *
 *   logs     5,000 records of about 355 B: 20 resources with 8 attributes, 4 to 6 record attributes, bodies of 80-200 B
 *   traces   2,000 spans of about 550 B: 10 resources, 10 attributes, 2 events on one in ten, a status on one in twenty
 *   metrics  5,000 number points of about 310 B with 8 attributes: half gauges, half sums; 4 requests have all series
 *   remote write 2.0: 10,000 series with one sample each
 *
 * A request's number is its seed and its place in time: of metrics and remote write, higher ones are later scrapes.
 */
import {
  encodeLogsRequest,
  encodeMetricsRequest,
  encodeTraceRequest,
} from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';

type Random = (below: number) => number;

/** A linear congruential generator (Numerical Recipes): the same numbers everywhere. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const words =
  'order payment timeout user cache retry shard queue commit fetch index token session worker'.split(' ');
export const startMs = 1_760_000_000_000;
export const scrapeMs = 15_000;

const text = (key: string, stringValue: string): object => ({ key, value: { stringValue } });
const int = (key: string, intValue: number): object => ({ key, value: { intValue } });
const randomBytes = (random: Random, length: number): Uint8Array =>
  Uint8Array.from({ length }, () => random(256));
/** Nanoseconds as text: they do not fit in a number. */
const nanos = (unixMs: number, rest: number): string => `${unixMs}${String(rest).padStart(6, '0')}`;

function resource(index: number): object {
  return {
    attributes: [
      text('service.name', `service-${index % 10}`),
      text('service.namespace', 'shop'),
      text('k8s.pod.name', `service-${index % 10}-${index}`),
      text('k8s.namespace.name', 'shop'),
      text('k8s.node.name', `node-${index % 5}`),
      text('k8s.container.name', 'main'),
      text('host.name', `node-${index % 5}`),
      text('deployment.environment', 'bench'),
    ],
  };
}

/** 80 to 200 bytes; one in fifty is not ASCII. */
function logBody(random: Random): string {
  const length = 80 + random(112);
  let body = random(50) === 0 ? 'größe 注文' : 'handled';
  while (body.length < length) body += ` ${words[random(words.length)]}`;
  return body;
}

function logRecord(random: Random, seed: number): object {
  const unixMs = startMs + seed * 1000 + random(1000);
  const attributes = [
    text('http.method', 'GET'),
    text('http.route', `/api/v1/${words[random(words.length)]}/${random(50)}`),
    int('http.status_code', 200 + random(4) * 100),
    text('user.id', `user-${random(10_000)}`),
  ];
  const more = random(3);
  if (more > 0) attributes.push(int('http.response.body.size', random(100_000)));
  if (more > 1) attributes.push(text('log.file.path', `/var/log/pods/shop_orders-${random(20)}/main/0.log`));
  return {
    timeUnixNano: nanos(unixMs, random(1_000_000)),
    observedTimeUnixNano: nanos(unixMs + 5, random(1_000_000)),
    ...(random(10) === 0
      ? { severityNumber: 17, severityText: 'ERROR' }
      : { severityNumber: 9, severityText: 'INFO' }),
    body: { stringValue: logBody(random) },
    attributes,
    ...(random(10) < 3 ? { traceId: randomBytes(random, 16), spanId: randomBytes(random, 8), flags: 1 } : {}),
  };
}

export function logsRequest(seed: number): Uint8Array {
  const random = createRandom(seed);
  const logRecords = (): object[] => Array.from({ length: 250 }, () => logRecord(random, seed));
  return encodeLogsRequest({
    resourceLogs: Array.from({ length: 20 }, (_, index) => ({
      resource: resource(index),
      scopeLogs: [{ scope: { name: 'io.opentelemetry.bench', version: '1.2.3' }, logRecords: logRecords() }],
    })),
  });
}

function span(random: Random, seed: number): object {
  const unixMs = startMs + seed * 1000 + random(1000);
  const event = (name: string): object => ({
    timeUnixNano: nanos(unixMs, 1000),
    name,
    attributes: [text('exception.type', 'java.net.SocketTimeoutException'), int('retry', random(5))],
  });
  return {
    traceId: randomBytes(random, 16),
    spanId: randomBytes(random, 8),
    ...(random(5) === 0 ? {} : { parentSpanId: randomBytes(random, 8) }),
    name: `GET /api/v1/orders/${random(50)}`,
    kind: 1 + random(5),
    startTimeUnixNano: nanos(unixMs, random(1_000_000)),
    endTimeUnixNano: nanos(unixMs + random(500), 999_999),
    attributes: [
      text('http.request.method', 'GET'),
      text('url.full', `https://shop.example.com/api/v1/orders/${random(100_000)}?page=${random(9)}`),
      int('http.response.status_code', 200 + random(4) * 100),
      text('server.address', `service-${random(10)}.shop.svc.cluster.local`),
      int('server.port', 8080),
      text('network.protocol.version', '1.1'),
      text(
        'user_agent.original',
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/129.0 Safari/537.36',
      ),
      text('db.system', 'postgresql'),
      text('thread.name', `http-worker-${random(32)}`),
      int('http.response.body.size', random(100_000)),
    ],
    ...(random(10) === 0 ? { events: [event('exception'), event('retry')] } : {}),
    ...(random(20) === 0 ? { status: { code: 2, message: 'upstream timed out' } } : {}),
  };
}

export function tracesRequest(seed: number): Uint8Array {
  const random = createRandom(seed);
  return encodeTraceRequest({
    resourceSpans: Array.from({ length: 10 }, (_, index) => ({
      resource: resource(index),
      scopeSpans: [
        {
          scope: { name: 'io.opentelemetry.bench', version: '1.2.3' },
          spans: Array.from({ length: 200 }, () => span(random, seed)),
        },
      ],
    })),
  });
}

/** How many requests of metricsRequest one scrape of all 20,000 series takes. */
export const metricsRequestsPerScrape = 4;
const metricsPerRequest = 50;
const pointsPerMetric = 100;

export function metricsRequest(index: number): Uint8Array {
  const unixMs = startMs + Math.floor(index / metricsRequestsPerScrape) * scrapeMs;
  const part = index % metricsRequestsPerScrape;
  const random = createRandom(index);
  const point = (series: number): object => ({
    attributes: [
      text('http.request.method', 'GET'),
      text('http.route', `/api/v1/orders/${series}`),
      text('http.response.status_code', '200'),
      text('server.address', `service-${series % 10}.shop.svc.cluster.local`),
      text('network.protocol.name', 'http'),
      text('url.scheme', 'https'),
      text('cloud.availability_zone', 'eu-central-1a'),
      text('deployment.environment', 'bench'),
    ],
    startTimeUnixNano: nanos(startMs, 0),
    timeUnixNano: nanos(unixMs, 0),
  });
  const points = (value: () => object): object[] =>
    Array.from({ length: pointsPerMetric }, (_, series) => ({ ...point(series), ...value() }));
  const metric = (number: number): object => {
    const name = `bench.metric.${part * metricsPerRequest + number}`;
    if (number % 2 === 0) {
      return { name, unit: 's', gauge: { dataPoints: points(() => ({ asDouble: random(1000) / 8 })) } };
    }
    const dataPoints = points(() => ({ asInt: random(1_000_000) }));
    return { name, unit: 'By', sum: { dataPoints, aggregationTemporality: 2, isMonotonic: true } };
  };
  return encodeMetricsRequest({
    resourceMetrics: [
      {
        resource: resource(part),
        scopeMetrics: [
          {
            scope: { name: 'io.opentelemetry.bench', version: '1.2.3' },
            metrics: Array.from({ length: metricsPerRequest }, (_, number) => metric(number)),
          },
        ],
      },
    ],
  });
}

export function remoteWriteRequest(scrape: number): Uint8Array {
  const symbols = ['', '__name__', 'http_requests_total', 'job', 'shop', 'instance', 'path'];
  const refOf = (symbol: string): number => symbols.push(symbol) - 1;
  const instances = Array.from({ length: 100 }, (_, index) => refOf(`10.0.0.${index}:9100`));
  const paths = Array.from({ length: 100 }, (_, index) => refOf(`/api/${index}`));
  return encodeRemoteWrite2({
    timeseries: instances.flatMap((instance, row) =>
      paths.map((path, column) => ({
        labelsRefs: [1, 2, 5, instance, 3, 4, 6, path],
        samples: [{ value: scrape * (row + column), timestamp: startMs + scrape * scrapeMs }],
      })),
    ),
    symbols,
  });
}
