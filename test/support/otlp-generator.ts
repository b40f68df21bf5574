/**
 * Deterministic OTLP and remote write requests as objects for the encoders in naive/: the same seed gives the same
 * request on every machine. Fields are present or absent at random, so that every one of them is met in both ways.
 */
import { exemplarLabels, exponentialPoint, nativeHistogram } from './histogram-generator.ts';
import type { Lcg } from './lcg.ts';
import type { ProtoObject } from './naive/otlp-proto.ts';

/** 2023-11-14T22:13:20Z: the time that generated requests are around. */
export const generatorUnixMs = 1_700_000_000_000;

const texts = [
  '',
  'ok',
  'GET /cart',
  'grüße',
  '日本語',
  'a "quoted" \\ value',
  'line\nbreak\n\nand more',
  'x'.repeat(300),
];
const keys = [
  'http.method',
  'http.status_code',
  'user.id',
  'retry',
  'k8s.pod.name',
  'ä key',
  'peer',
  'duration.ms',
];
const doubles = [0, 1, -1.5, 0.1, 1e21, 1e-7, 123456.789, Number.NaN, Number.POSITIVE_INFINITY];
const integers = [0n, 7n, -7n, 200n, 9007199254740993n, -(2n ** 63n), 2n ** 63n - 1n, 1000000n];

export function anyValue(random: Lcg, depth = 0): ProtoObject {
  switch (random.int(depth > 2 ? 6 : 9)) {
    case 0:
      return { intValue: random.pick(integers) };
    case 1:
      return { boolValue: random.chance(50) };
    case 2:
      return { doubleValue: random.pick(doubles) };
    case 3:
      return { bytesValue: random.bytes(random.int(9)) };
    case 6:
      return { arrayValue: { values: list(random, 3, () => anyValue(random, depth + 1)) } };
    case 7:
      return { kvlistValue: { values: attributes(random, 3, depth + 1) } };
    case 8:
      return {};
    default:
      return { stringValue: random.pick(texts) };
  }
}

export function attributes(random: Lcg, countMax: number, depth = 0): ProtoObject[] {
  const offset = random.int(keys.length);
  return list(random, countMax, (i) => ({
    key: keys[(offset + i) % keys.length],
    ...(random.chance(95) ? { value: anyValue(random, depth) } : {}),
  }));
}

function list<Item>(random: Lcg, countMax: number, make: (index: number) => Item): Item[] {
  return Array.from({ length: random.int(countMax + 1) }, (_, i) => make(i));
}

/** A resource that is one of `variety`; the same number gives the same resource. */
export function resource(random: Lcg, variety: number): ProtoObject {
  const number = random.int(variety);
  return {
    attributes: [
      ...(number % 5 === 4 ? [] : [{ key: 'service.name', value: { stringValue: `service-${number}` } }]),
      { key: 'service.namespace', value: { stringValue: number % 2 === 0 ? 'shop' : '' } },
      { key: 'service.instance.id', value: { stringValue: `instance-${number}` } },
      { key: 'host.cpu', value: { intValue: number } },
      { key: 'process.command_args', value: { arrayValue: { values: [{ stringValue: 'node' }] } } },
    ],
    droppedAttributesCount: number % 3,
  };
}

function scope(random: Lcg): ProtoObject {
  return random.chance(80)
    ? {
        name: `scope-${random.int(3)}`,
        version: random.chance(50) ? '1.2.3' : '',
        attributes: attributes(random, 2),
      }
    : {};
}

/** Nanoseconds within four hours after generatorUnixMs. */
function nanos(random: Lcg): bigint {
  return BigInt(generatorUnixMs + random.int(4 * 3_600_000)) * 1_000_000n + BigInt(random.int(1_000_000));
}

export function logsRequest(random: Lcg, groups = 4, records = 12): ProtoObject {
  const severityTexts = ['', 'INFO', 'warning', 'Error', 'nonsense', 'DEBUG2', 'critical'];
  const logRecord = () => ({
    ...(random.chance(90) ? { timeUnixNano: nanos(random) } : {}),
    ...(random.chance(70) ? { observedTimeUnixNano: nanos(random) } : {}),
    ...(random.chance(70) ? { severityNumber: random.int(26) } : {}),
    ...(random.chance(60) ? { severityText: random.pick(severityTexts) } : {}),
    ...(random.chance(90)
      ? { body: random.chance(80) ? { stringValue: random.pick(texts) } : anyValue(random) }
      : {}),
    ...(random.chance(30) ? { traceId: random.bytes(random.chance(90) ? 16 : 5) } : {}),
    ...(random.chance(30) ? { spanId: random.bytes(random.chance(90) ? 8 : 9) } : {}),
    ...(random.chance(30) ? { flags: random.pick([1, 0x101, 0xffffffff]) } : {}),
    ...(random.chance(10) ? { eventName: 'device.app.lifecycle' } : {}),
    droppedAttributesCount: random.int(2),
    attributes: attributes(random, 6),
  });
  return {
    resourceLogs: list(random, groups, () => ({
      ...(random.chance(90) ? { resource: resource(random, 7) } : {}),
      schemaUrl: random.chance(50) ? 'https://example.org/schema' : '',
      scopeLogs: list(random, 3, () => ({
        scope: scope(random),
        logRecords: list(random, records, logRecord),
      })),
    })),
  };
}

export function traceRequest(random: Lcg, groups = 3, spans = 10): ProtoObject {
  const traceIds = [random.bytes(16), random.bytes(16), random.bytes(16)];
  const span = () => {
    const start = nanos(random);
    return {
      traceId: random.chance(95) ? random.pick(traceIds) : random.bytes(random.int(20)),
      spanId: random.chance(97) ? random.bytes(8) : new Uint8Array(8),
      ...(random.chance(60) ? { parentSpanId: random.bytes(random.chance(95) ? 8 : 3) } : {}),
      ...(random.chance(20) ? { traceState: 'vendor=1' } : {}),
      name: random.pick(texts),
      kind: random.int(6),
      ...(random.chance(97) ? { startTimeUnixNano: start } : {}),
      ...(random.chance(95)
        ? { endTimeUnixNano: start + BigInt(random.int(2 ** 31)) * BigInt(random.int(9) - 1) }
        : {}),
      attributes: attributes(random, 6),
      events: list(random, 2, () => ({
        timeUnixNano: nanos(random),
        name: random.pick(texts),
        attributes: attributes(random, 3),
      })),
      links: list(random, 2, () => ({
        traceId: random.bytes(random.chance(80) ? 16 : 4),
        spanId: random.bytes(8),
        traceState: random.chance(30) ? 'a=b' : '',
        attributes: attributes(random, 2),
        flags: 1,
      })),
      ...(random.chance(50) ? { status: { code: random.int(3), message: random.pick(texts) } } : {}),
      flags: 257,
      droppedEventsCount: random.int(2),
    };
  };
  return {
    resourceSpans: list(random, groups, () => ({
      resource: resource(random, 5),
      scopeSpans: list(random, 2, () => ({ scope: scope(random), spans: list(random, spans, span) })),
    })),
  };
}

function otlpExemplar(random: Lcg): ProtoObject {
  return {
    ...(random.chance(80) ? { timeUnixNano: nanos(random) } : {}),
    ...(random.chance(70) ? { asDouble: random.pick(doubles) } : { asInt: random.pick(integers) }),
    ...(random.chance(80) ? { traceId: random.bytes(16), spanId: random.bytes(8) } : {}),
    ...(random.chance(10) ? { traceId: new Uint8Array(16) } : {}),
    filteredAttributes: attributes(random, 2),
  };
}

const units = ['', '1', 's', 'By', 'By/s', '{request}', 'ms'];

/**
 * Data points of every kind, the ones that are refused included. Delta points are only there where they are asked for:
 * they need totals.
 */
export function metricsRequest(random: Lcg, groups = 3, points = 6, isDelta = false): ProtoObject {
  // Mostly the same two starts, so that what is known already is met; some are of after the point.
  const start = () => BigInt(generatorUnixMs - random.int(2) * 5000) * 1_000_000n;
  const times = () => ({
    ...(random.chance(85) ? { startTimeUnixNano: random.chance(70) ? start() : nanos(random) } : {}),
    ...(random.chance(97) ? { timeUnixNano: nanos(random) } : {}),
  });
  const flags = () => (random.chance(5) ? { flags: 1 } : {});
  const number = () => ({
    ...times(),
    ...flags(),
    attributes: attributes(random, 4),
    ...(random.chance(50)
      ? { asDouble: random.pick(doubles) }
      : random.chance(90)
        ? { asInt: random.pick(integers) }
        : {}),
    exemplars: list(random, 1, () => otlpExemplar(random)),
  });
  const histogram = () => {
    const explicitBounds = [0.005, 1, 10, 1e21, 1e-7].slice(0, random.int(6)).sort((a, b) => a - b);
    // Where bounds do not rise, it is anybody's guess into which bucket an exemplar fell.
    const isFaulty = random.chance(5);
    if (isFaulty) explicitBounds.push(random.pick([1, Number.NaN, Number.POSITIVE_INFINITY]));
    const counts = explicitBounds.concat(0).map(() => (random.chance(30) ? 0 : random.int(100)));
    const total = counts.reduce((sum, count) => sum + count, 0);
    return {
      ...times(),
      ...flags(),
      attributes: attributes(random, 3),
      count: random.chance(80) ? total : random.int(1000),
      ...(random.chance(80) ? { sum: random.pick(doubles) } : {}),
      explicitBounds,
      bucketCounts: random.chance(90) ? counts : [],
      exemplars: isFaulty ? [] : list(random, 2, () => otlpExemplar(random)),
      min: 0,
      max: 9,
    };
  };
  const summary = () => ({
    ...times(),
    ...flags(),
    attributes: attributes(random, 3),
    count: random.int(100),
    ...(random.chance(80) ? { sum: 5.5 } : {}),
    quantileValues: list(random, 3, (i) => ({ quantile: [0, 0.5, 0.99, 1][i], value: random.pick(doubles) })),
  });
  const metric = (_: number) => {
    const kind = random.int(5);
    const name = `shop.metric_${kind}_${random.int(3)}`;
    const dataPoints = <Point>(make: () => Point) => ({ dataPoints: list(random, points, make) });
    // 0 is refused.
    const temporality = random.chance(90) ? (isDelta ? 1 : 2) : 0;
    return {
      name: random.chance(97) ? name : random.pick(['', '%%', '9lives']),
      description: random.pick(texts),
      unit: random.pick(units),
      ...(kind === 0 ? { gauge: dataPoints(number) } : {}),
      ...(kind === 1
        ? {
            sum: {
              ...dataPoints(number),
              aggregationTemporality: temporality,
              isMonotonic: random.chance(70),
            },
          }
        : {}),
      ...(kind === 2 ? { histogram: { ...dataPoints(histogram), aggregationTemporality: temporality } } : {}),
      ...(kind === 3 ? { summary: dataPoints(summary) } : {}),
      ...(kind === 4 && random.chance(50)
        ? {
            exponentialHistogram: {
              ...dataPoints(() => ({
                ...times(),
                ...exponentialPoint(random),
                attributes: attributes(random, 3),
                exemplars: list(random, 1, () => otlpExemplar(random)),
              })),
              aggregationTemporality: temporality,
            },
          }
        : {}),
    };
  };
  return {
    resourceMetrics: list(random, groups, () => ({
      ...(random.chance(90) ? { resource: resource(random, 5) } : {}),
      scopeMetrics: list(random, 2, () => ({
        scope: scope(random),
        metrics: list(random, 6, metric),
        schemaUrl: random.chance(30) ? 'https://example.org/metrics' : '',
      })),
    })),
  };
}

interface GeneratedSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly { value: number; timestamp: number }[];
  readonly type: number;
}

function generatedSeries(random: Lcg): GeneratedSeries {
  const name = random.pick([
    'up',
    'http_requests_total',
    'http_request_duration_seconds_bucket',
    'ünïcode metric',
  ]);
  const labels: [string, string][] = [
    ['__name__', name],
    ['instance', `10.0.0.${random.int(4)}:9100`],
    ['job', random.pick(['node', 'cart', ''])],
  ];
  if (random.chance(30)) labels.push(['zone', random.pick(texts)]);
  if (random.chance(5)) labels.push(['job', 'twice']);
  if (random.chance(3)) labels.shift();
  if (random.chance(20)) labels.reverse();
  // Some come together, so that what is sent twice is met.
  const timestamp = generatorUnixMs + (random.chance(40) ? 4 * 3_600_000 : random.int(4 * 3_600_000));
  const samples = list(random, 3, (i) => ({
    value: random.pick(doubles),
    timestamp: random.chance(97) ? timestamp + i * 15_000 : -5,
  }));
  if (samples.length > 0 && random.chance(20)) samples.push(samples.at(-1)!);
  return { labels, samples, type: name.endsWith('_bucket') ? 3 : name.endsWith('_total') ? 1 : 2 };
}

function exemplarTime(random: Lcg): ProtoObject {
  if (random.chance(30)) return {};
  return { timestamp: random.chance(90) ? generatorUnixMs + random.int(4 * 3_600_000) : 5 };
}

function histograms(random: Lcg): ProtoObject[] {
  if (random.chance(50)) return [];
  const timestamp = generatorUnixMs + (random.chance(30) ? 4 * 3_600_000 : random.int(4 * 3_600_000));
  const made = list(random, 2, (i) => nativeHistogram(random, timestamp + i * 15_000));
  return made.length > 0 && random.chance(20) ? [...made, made.at(-1)!] : made;
}

export function remoteWrite1Request(random: Lcg, seriesMax = 12): ProtoObject {
  return {
    timeseries: list(random, seriesMax, () => {
      const { labels, samples } = generatedSeries(random);
      return {
        labels: labels.map(([name, value]) => ({ name, value })),
        samples,
        exemplars: list(random, 2, () => ({
          labels: exemplarLabels(random).map(([name, value]) => ({ name, value })),
          value: random.pick(doubles),
          ...exemplarTime(random),
        })),
        histograms: histograms(random),
      };
    }),
    metadata: list(random, 2, () => ({
      type: random.int(9),
      metricFamilyName: 'up',
      help: random.pick(texts),
      unit: 's',
    })),
  };
}

export function remoteWrite2Request(random: Lcg, seriesMax = 12): ProtoObject {
  const symbols = [''];
  const ref = (text: string) => {
    const known = symbols.indexOf(text);
    return known === -1 ? symbols.push(text) - 1 : known;
  };
  const timeseries = list(random, seriesMax, () => {
    const { labels, samples, type } = generatedSeries(random);
    const labelsRefs = labels.flatMap(([name, value]) => [ref(name), ref(value)]);
    if (random.chance(3)) labelsRefs.push(1);
    if (random.chance(3)) labelsRefs.push(1, 99_999);
    return {
      labelsRefs,
      samples: samples.map((sample) => ({
        ...sample,
        ...(random.chance(20) ? { startTimestamp: generatorUnixMs - random.int(3) * 1000 } : {}),
        ...(random.chance(3) ? { startTimestamp: sample.timestamp + 1 } : {}),
      })),
      histograms: histograms(random),
      ...(random.chance(20) ? { createdTimestamp: generatorUnixMs - 5000 } : {}),
      metadata: { type, helpRef: ref('Counts things.'), unitRef: ref('') },
      exemplars: list(random, 2, () => ({
        labelsRefs: [
          ...exemplarLabels(random).flatMap(([name, value]) => [ref(name), ref(value)]),
          ...(random.chance(3) ? [1] : random.chance(3) ? [0, 77_777] : []),
        ],
        value: random.pick(doubles),
        ...exemplarTime(random),
      })),
    };
  });
  return { symbols, timeseries };
}
