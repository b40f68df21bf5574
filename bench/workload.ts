/**
 * Deterministic telemetry for the benchmarks: shapes as real senders have them, bytes the same in every run.
 *
 *   logs: requests of 5,000 records, 20 resources with 8 attributes each, 4 to 6 record attributes, bodies of 80-200 B
 */
import { encodeLogsRequest, encodeTraceRequest } from '#test/support/naive/otlp-proto.ts';
import { encodeRemoteWrite2 } from '#test/support/naive/prometheus-proto.ts';

/** A linear congruential generator (Numerical Recipes): the same numbers everywhere. */
function createRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const words =
  'order payment timeout user cache retry shard queue commit fetch index token session worker'.split(' ');
const startMs = 1_760_000_000_000;
const attribute = (key: string, stringValue: string): object => ({ key, value: { stringValue } });

function resource(index: number): object {
  return {
    attributes: [
      attribute('service.name', `service-${index % 10}`),
      attribute('service.namespace', 'shop'),
      attribute('k8s.pod.name', `service-${index % 10}-${index}`),
      attribute('k8s.namespace.name', 'shop'),
      attribute('k8s.node.name', `node-${index % 5}`),
      attribute('k8s.container.name', 'main'),
      attribute('host.name', `node-${index % 5}`),
      attribute('deployment.environment', 'bench'),
    ],
  };
}

/** 20 resources with 250 records each. */
export function logsRequest(seed: number): Uint8Array {
  const random = createRandom(seed);
  const record = (): object => {
    const hasTrace = random(10) < 3;
    const text: string[] = [];
    for (let length = 80 + random(120); length > 0; length -= 8) text.push(words[random(words.length)]!);
    return {
      timeUnixNano: `${startMs + seed * 1000 + random(1000)}${String(random(1_000_000)).padStart(6, '0')}`,
      severityNumber: random(10) === 0 ? 17 : 9,
      severityText: 'INFO',
      body: { stringValue: text.join(' ') },
      attributes: [
        attribute('http.method', 'GET'),
        attribute('http.route', `/api/${random(50)}`),
        { key: 'http.status_code', value: { intValue: 200 + random(4) * 100 } },
        attribute('user.id', `user-${random(10_000)}`),
      ],
      ...(hasTrace
        ? { traceId: Buffer.alloc(16, 1 + random(255)), spanId: Buffer.alloc(8, 1 + random(255)) }
        : {}),
    };
  };
  return encodeLogsRequest({
    resourceLogs: Array.from({ length: 20 }, (_, index) => ({
      resource: resource(index),
      scopeLogs: [{ scope: { name: 'bench' }, logRecords: Array.from({ length: 250 }, record) }],
    })),
  });
}

/** 10 resources with 200 spans each. */
export function tracesRequest(seed: number): Uint8Array {
  const random = createRandom(seed);
  const span = (): object => {
    const start = startMs + seed * 1000 + random(1000);
    return {
      traceId: Buffer.from(Array.from({ length: 16 }, () => random(256))),
      spanId: Buffer.from(Array.from({ length: 8 }, () => random(256))),
      name: `GET /api/${random(50)}`,
      kind: 1 + random(5),
      startTimeUnixNano: `${start}000000`,
      endTimeUnixNano: `${start + random(500)}000000`,
      attributes: Array.from({ length: 8 }, (_, index) => attribute(`key.${index}`, `value-${random(1000)}`)),
      ...(random(10) === 0
        ? {
            events: [
              {
                timeUnixNano: `${start}000001`,
                name: 'exception',
                attributes: [attribute('type', 'Timeout')],
              },
            ],
          }
        : {}),
    };
  };
  return encodeTraceRequest({
    resourceSpans: Array.from({ length: 10 }, (_, index) => ({
      resource: resource(index),
      scopeSpans: [{ scope: { name: 'bench' }, spans: Array.from({ length: 200 }, span) }],
    })),
  });
}

/** 10,000 series with one sample each; every request is one scrape later. */
export function remoteWriteRequest(scrape: number): Uint8Array {
  const symbols = ['', '__name__', 'http_requests_total', 'job', 'shop', 'instance', 'path'];
  const refOf = (text: string): number => symbols.push(text) - 1;
  const instances = Array.from({ length: 100 }, (_, index) => refOf(`10.0.0.${index}:9100`));
  const paths = Array.from({ length: 100 }, (_, index) => refOf(`/api/${index}`));
  return encodeRemoteWrite2({
    timeseries: instances.flatMap((instance, row) =>
      paths.map((path, column) => ({
        labelsRefs: [1, 2, 5, instance, 3, 4, 6, path],
        samples: [{ value: scrape * (row + column), timestamp: startMs + scrape * 15_000 }],
      })),
    ),
    symbols,
  });
}
