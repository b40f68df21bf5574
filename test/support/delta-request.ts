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
  const dataPoints = points.map(({ value, ...point }) => ({ ...shapeOf(point), asDouble: value }));
  return request([{ name, sum: { aggregationTemporality: 1, isMonotonic, dataPoints } }]);
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
