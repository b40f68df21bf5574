/** The three export requests of OTLP 1.x, field by field (opentelemetry-proto, package `v1` of each signal). */
import { MessageShape } from './message-shape.ts';

const anyValue: MessageShape = new MessageShape({
  stringValue: [1, 'string'],
  boolValue: [2, 'bool'],
  intValue: [3, 'int64'],
  doubleValue: [4, 'double'],
  arrayValue: [5, () => arrayValue],
  kvlistValue: [6, () => keyValueList],
  bytesValue: [7, 'bytes'],
});
const keyValue = new MessageShape({ key: [1, 'string'], value: [2, anyValue] });
const arrayValue = new MessageShape({ values: [1, anyValue, 'repeated'] });
const keyValueList = new MessageShape({ values: [1, keyValue, 'repeated'] });

const entityRef = new MessageShape({
  schemaUrl: [1, 'string'],
  type: [2, 'string'],
  idKeys: [3, 'string', 'repeated'],
  descriptionKeys: [4, 'string', 'repeated'],
});
const resource = new MessageShape({
  attributes: [1, keyValue, 'repeated'],
  droppedAttributesCount: [2, 'uint32'],
  entityRefs: [3, entityRef, 'repeated'],
});
const scope = new MessageShape({
  name: [1, 'string'],
  version: [2, 'string'],
  attributes: [3, keyValue, 'repeated'],
  droppedAttributesCount: [4, 'uint32'],
});

const logRecord = new MessageShape({
  timeUnixNano: [1, 'fixed64'],
  observedTimeUnixNano: [11, 'fixed64'],
  severityNumber: [2, 'enum'],
  severityText: [3, 'string'],
  body: [5, anyValue],
  attributes: [6, keyValue, 'repeated'],
  droppedAttributesCount: [7, 'uint32'],
  flags: [8, 'fixed32'],
  traceId: [9, 'hex'],
  spanId: [10, 'hex'],
  eventName: [12, 'string'],
});

const event = new MessageShape({
  timeUnixNano: [1, 'fixed64'],
  name: [2, 'string'],
  attributes: [3, keyValue, 'repeated'],
  droppedAttributesCount: [4, 'uint32'],
});
const link = new MessageShape({
  traceId: [1, 'hex'],
  spanId: [2, 'hex'],
  traceState: [3, 'string'],
  attributes: [4, keyValue, 'repeated'],
  droppedAttributesCount: [5, 'uint32'],
  flags: [6, 'fixed32'],
});
const status = new MessageShape({ message: [2, 'string'], code: [3, 'enum'] });
const span = new MessageShape({
  traceId: [1, 'hex'],
  spanId: [2, 'hex'],
  traceState: [3, 'string'],
  parentSpanId: [4, 'hex'],
  flags: [16, 'fixed32'],
  name: [5, 'string'],
  kind: [6, 'enum'],
  startTimeUnixNano: [7, 'fixed64'],
  endTimeUnixNano: [8, 'fixed64'],
  attributes: [9, keyValue, 'repeated'],
  droppedAttributesCount: [10, 'uint32'],
  events: [11, event, 'repeated'],
  droppedEventsCount: [12, 'uint32'],
  links: [13, link, 'repeated'],
  droppedLinksCount: [14, 'uint32'],
  status: [15, status],
});

const exemplar = new MessageShape({
  filteredAttributes: [7, keyValue, 'repeated'],
  timeUnixNano: [2, 'fixed64'],
  asDouble: [3, 'double'],
  asInt: [6, 'sfixed64'],
  spanId: [4, 'hex'],
  traceId: [5, 'hex'],
});
const numberDataPoint = new MessageShape({
  attributes: [7, keyValue, 'repeated'],
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  asDouble: [4, 'double'],
  asInt: [6, 'sfixed64'],
  exemplars: [5, exemplar, 'repeated'],
  flags: [8, 'uint32'],
});
const histogramDataPoint = new MessageShape({
  attributes: [9, keyValue, 'repeated'],
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  bucketCounts: [6, 'fixed64', 'repeated'],
  explicitBounds: [7, 'double', 'repeated'],
  exemplars: [8, exemplar, 'repeated'],
  flags: [10, 'uint32'],
  min: [11, 'double'],
  max: [12, 'double'],
});
const buckets = new MessageShape({ offset: [1, 'sint32'], bucketCounts: [2, 'uint64', 'repeated'] });
const exponentialHistogramDataPoint = new MessageShape({
  attributes: [1, keyValue, 'repeated'],
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  scale: [6, 'sint32'],
  zeroCount: [7, 'fixed64'],
  positive: [8, buckets],
  negative: [9, buckets],
  flags: [10, 'uint32'],
  exemplars: [11, exemplar, 'repeated'],
  min: [12, 'double'],
  max: [13, 'double'],
  zeroThreshold: [14, 'double'],
});
const valueAtQuantile = new MessageShape({ quantile: [1, 'double'], value: [2, 'double'] });
const summaryDataPoint = new MessageShape({
  attributes: [7, keyValue, 'repeated'],
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  quantileValues: [6, valueAtQuantile, 'repeated'],
  flags: [8, 'uint32'],
});
const metric = new MessageShape({
  name: [1, 'string'],
  description: [2, 'string'],
  unit: [3, 'string'],
  gauge: [5, new MessageShape({ dataPoints: [1, numberDataPoint, 'repeated'] })],
  sum: [
    7,
    new MessageShape({
      dataPoints: [1, numberDataPoint, 'repeated'],
      aggregationTemporality: [2, 'enum'],
      isMonotonic: [3, 'bool'],
    }),
  ],
  histogram: [
    9,
    new MessageShape({
      dataPoints: [1, histogramDataPoint, 'repeated'],
      aggregationTemporality: [2, 'enum'],
    }),
  ],
  exponentialHistogram: [
    10,
    new MessageShape({
      dataPoints: [1, exponentialHistogramDataPoint, 'repeated'],
      aggregationTemporality: [2, 'enum'],
    }),
  ],
  summary: [11, new MessageShape({ dataPoints: [1, summaryDataPoint, 'repeated'] })],
  metadata: [12, keyValue, 'repeated'],
});

/** Request => resources:1*   resource => Resource:1 scopes:2* schemaUrl:3   scope => Scope:1 records:2* schemaUrl:3 */
function request(names: readonly [string, string, string], record: MessageShape): MessageShape {
  const [resourcesName, scopesName, recordsName] = names;
  const scopes = new MessageShape({
    scope: [1, scope],
    [recordsName]: [2, record, 'repeated'],
    schemaUrl: [3, 'string'],
  });
  const resources = new MessageShape({
    resource: [1, resource],
    [scopesName]: [2, scopes, 'repeated'],
    schemaUrl: [3, 'string'],
  });
  return new MessageShape({ [resourcesName]: [1, resources, 'repeated'] });
}

/** Export{Logs,Trace,Metrics}ServiceRequest. */
export const requestShapes = {
  logs: request(['resourceLogs', 'scopeLogs', 'logRecords'], logRecord),
  traces: request(['resourceSpans', 'scopeSpans', 'spans'], span),
  metrics: request(['resourceMetrics', 'scopeMetrics', 'metrics'], metric),
} as const;
