/** OTLP requests with one delta metric, for tests of totals. Times are ms since 1970. */
import { encodeMetricsRequest, type ProtoObject } from './naive/otlp-proto.ts';

export interface DeltaPoint {
  /** 0: the sender does not say. */
  readonly startMs: number;
  readonly endMs: number;
  readonly value: number;
  /** Tells series of one metric apart. */
  readonly route?: string;
}

export function deltaSum(name: string, points: readonly DeltaPoint[], isMonotonic = true): Uint8Array {
  return request([deltaSumMetric(name, points, isMonotonic)]);
}

export function deltaSumMetric(name: string, points: readonly DeltaPoint[], isMonotonic = true): ProtoObject {
  const dataPoints = points.map(({ value, ...point }) => ({ ...shapeOf(point), asDouble: value }));
  return { name, sum: { aggregationTemporality: 1, isMonotonic, dataPoints } };
}

export interface DeltaExponentialPoint extends Omit<DeltaPoint, 'value'> {
  readonly scale?: number;
  /** Of the first of `counts`, as OTLP has it. */
  readonly offset?: number;
  readonly counts: readonly number[];
  readonly zeroThreshold?: number;
  readonly isStale?: boolean;
}

/** The sum of each point is its count and a half. */
export function deltaExponential(name: string, points: readonly DeltaExponentialPoint[]): Uint8Array {
  return request([deltaExponentialMetric(name, points)]);
}

export function deltaExponentialMetric(name: string, points: readonly DeltaExponentialPoint[]): ProtoObject {
  const dataPoints = points.map(({ scale = 0, offset = 0, counts, zeroThreshold, isStale, ...point }) => {
    const count = counts.reduce((total, one) => total + one, 0);
    return {
      ...shapeOf(point),
      scale,
      count,
      sum: count + 0.5,
      positive: { offset, bucketCounts: counts },
      ...(zeroThreshold === undefined ? {} : { zeroThreshold }),
      ...(isStale === true ? { flags: 1 } : {}),
    };
  });
  return { name, exponentialHistogram: { aggregationTemporality: 1, dataPoints } };
}

export interface DeltaHistogramPoint extends Omit<DeltaPoint, 'value'> {
  readonly bounds: readonly number[];
  /** One more than bounds. */
  readonly counts: readonly number[];
  readonly sum?: number;
}

export function deltaHistogram(name: string, points: readonly DeltaHistogramPoint[]): Uint8Array {
  const dataPoints = points.map(({ bounds, counts, sum, ...point }) => ({
    ...shapeOf(point),
    count: counts.reduce((total, count) => total + count, 0),
    ...(sum === undefined ? {} : { sum }),
    explicitBounds: bounds,
    bucketCounts: counts,
  }));
  return request([{ name, histogram: { aggregationTemporality: 1, dataPoints } }]);
}

export function request(metrics: readonly ProtoObject[]): Uint8Array {
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] };
  return encodeMetricsRequest({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
}

function shapeOf({ startMs, endMs, route }: Omit<DeltaPoint, 'value'>): ProtoObject {
  return {
    ...(startMs === 0 ? {} : { startTimeUnixNano: `${startMs}000000` }),
    timeUnixNano: `${endMs}000000`,
    attributes: route === undefined ? [] : [{ key: 'route', value: { stringValue: route } }],
  };
}
