/** Remote write's two requests, field by field: prometheus/prompb/types.proto and io.prometheus.write.v2. For showing, not for reading. */
import { MessageShape } from '../otlp-json/message-shape.ts';

const label = new MessageShape({ name: [1, 'string'], value: [2, 'string'] });
const sample = new MessageShape({ value: [1, 'double'], timestamp: [2, 'int64'] });
const bucketSpan = new MessageShape({ offset: [1, 'sint32'], length: [2, 'uint32'] });
const histogram = new MessageShape({
  countInt: [1, 'uint64'],
  countFloat: [2, 'double'],
  sum: [3, 'double'],
  schema: [4, 'sint32'],
  zeroThreshold: [5, 'double'],
  zeroCountInt: [6, 'uint64'],
  zeroCountFloat: [7, 'double'],
  negativeSpans: [8, bucketSpan, 'repeated'],
  positiveSpans: [11, bucketSpan, 'repeated'],
  resetHint: [14, 'enum'],
  timestamp: [15, 'int64'],
});

/** Of either version: their fields do not overlap. */
export const remoteWriteShape = new MessageShape({
  timeseries: [
    1,
    new MessageShape({
      labels: [1, label, 'repeated'],
      samples: [2, sample, 'repeated'],
      exemplars: [
        3,
        new MessageShape({ labels: [1, label, 'repeated'], value: [2, 'double'], timestamp: [3, 'int64'] }),
        'repeated',
      ],
      histograms: [4, histogram, 'repeated'],
    }),
    'repeated',
  ],
  metadata: [
    3,
    new MessageShape({
      type: [1, 'enum'],
      metricFamilyName: [2, 'string'],
      help: [4, 'string'],
      unit: [5, 'string'],
    }),
    'repeated',
  ],
  symbols: [4, 'string', 'repeated'],
  'timeseries (2.0)': [
    5,
    new MessageShape({
      labelsRefs: [1, 'bytes'],
      samples: [2, sample, 'repeated'],
      histograms: [3, histogram, 'repeated'],
      exemplars: [
        4,
        new MessageShape({ labelsRefs: [1, 'bytes'], value: [2, 'double'], timestamp: [3, 'int64'] }),
        'repeated',
      ],
      metadata: [5, new MessageShape({ type: [1, 'enum'], helpRef: [3, 'uint32'], unitRef: [4, 'uint32'] })],
    }),
    'repeated',
  ],
});
