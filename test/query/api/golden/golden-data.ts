/** The series that a real Prometheus was given before its replies were recorded, as one remote write 1.0 request. */
import type { ProtoObject } from '#test/support/naive/otlp-proto.ts';

/** 2026-01-01T00:00:00Z. */
export const dataStart = 1_767_225_600;
/** When requests without a time are made. */
export const dataNow = dataStart + 600;

const staleNan = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer)[0]!;

function series(
  labels: Readonly<Record<string, string>>,
  values: readonly number[],
  more: { readonly stepSeconds?: number; readonly exemplars?: ProtoObject[] } = {},
): ProtoObject {
  const { stepSeconds = 15, exemplars = [] } = more;
  return {
    labels: Object.entries(labels)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => ({ name, value })),
    samples: values.map((value, i) => ({ value, timestamp: (dataStart + i * stepSeconds) * 1000 })),
    exemplars,
  };
}

const count = (n: number, of: (i: number) => number) => Array.from({ length: n }, (_none, i) => of(i));

function histogram(i: number): ProtoObject {
  return {
    countInt: 12 + 8 * i,
    sum: 30.5 + 20 * i,
    schema: 1,
    zeroThreshold: 0.001,
    zeroCountInt: 2 + i,
    positiveSpans: [
      { offset: 0, length: 2 },
      { offset: 1, length: 2 },
    ],
    positiveDeltas: [1 + i, 1, -1 + i, 2],
    negativeSpans: [{ offset: 1, length: 1 }],
    negativeDeltas: [5 + 4 * i - 3 - i - 3 * i],
    timestamp: (dataStart + 15 * i) * 1000,
  };
}

/** Its buckets must add up to its count. */
function wholeHistogram(i: number): ProtoObject {
  const made = histogram(i);
  const deltas = made.positiveDeltas as number[];
  let bucket = 0;
  let total = 2 + i + (made.negativeDeltas as number[])[0]!;
  for (const delta of deltas) {
    bucket += delta;
    total += bucket;
  }
  return { ...made, countInt: total };
}

export const goldenData: ProtoObject = {
  timeseries: [
    series(
      { __name__: 'http_requests_total', job: 'api', code: '200' },
      count(41, (i) => 30 * i),
      {
        exemplars: [
          {
            labels: [{ name: 'trace_id', value: 'abc' }],
            value: 0.25,
            timestamp: dataStart * 1000 + 500,
          },
        ],
      },
    ),
    series(
      { __name__: 'http_requests_total', job: 'api', code: '500' },
      count(41, (i) => (i < 20 ? i : i - 20)),
    ),
    series(
      { __name__: 'http_requests_total', job: 'web', code: '200' },
      count(41, (i) => 7.5 * i),
    ),
    series(
      { __name__: 'up', job: 'api', instance: 'a:1' },
      count(41, () => 1),
    ),
    series({ __name__: 'up', job: 'web', instance: 'b<1>&"\\\u00fc' }, [...count(30, () => 0), staleNan]),
    series({ __name__: 'odd_values' }, [
      NaN,
      Infinity,
      -Infinity,
      0,
      -0,
      1e-7,
      1e21,
      123456789012,
      0.1,
      5e-324,
      1.7976931348623157e308,
    ]),
    series({ __name__: 'http.status', 'a.b': 'c' }, [1, 2, 3]),
    series({ __name__: 'node_cpu_seconds_total', cpu: '0', mode: 'idle' }, [1, 2, 4]),
    series({ __name__: 'node_memory_bytes' }, [1024]),
    {
      labels: [{ name: '__name__', value: 'latency' }],
      histograms: count(9, (i) => i).map(wholeHistogram),
    },
    {
      labels: [
        { name: '__name__', value: 'sizes' },
        { name: 'kind', value: 'custom' },
      ],
      histograms: [
        {
          countFloat: 4.5,
          sum: 10,
          schema: -53,
          zeroThreshold: 0,
          zeroCountFloat: 0,
          positiveSpans: [{ offset: 0, length: 3 }],
          positiveCounts: [1, 2, 1.5],
          customValues: [1, 5],
          timestamp: dataStart * 1000,
        },
      ],
    },
  ],
};
