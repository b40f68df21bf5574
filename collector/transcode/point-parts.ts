/** What data points of every kind are read and written with. */
import type { DeltaPoints } from './delta-points.ts';
import type { PointExemplars } from './point-exemplars.ts';
import type { PointReader } from './point-reader.ts';
import type { PointSeries } from './point-series.ts';
import type { RecordWindow } from './record-window.ts';
import type { SeriesSink } from './series-sink.ts';

export interface PointParts {
  readonly window: RecordWindow;
  readonly series: SeriesSink;
  readonly pointSeries: PointSeries;
  readonly point: PointReader;
  readonly exemplars: PointExemplars;
  readonly deltas: DeltaPoints;
}

/** OTLP's AggregationTemporality. */
export const temporalityDelta = 1;
export const temporalityCumulative = 2;

/** Of exemplars whose series has neither le nor quantile. */
export const noBound = (): number => 0;
