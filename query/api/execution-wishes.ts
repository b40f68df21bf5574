/** Parameters of a query that say how it is executed, not what it asks: `max_source_resolution` and `explain`. */
import type { SourceResolution } from '../promql/plan/choose-path.ts';
import { invalid, type PrometheusParams } from './prometheus-params.ts';

/** Thanos's words, and ours for its `0s`. */
const resolutions: Readonly<Record<string, SourceResolution>> = {
  '': 'auto',
  auto: 'auto',
  raw: 'raw',
  '0s': 'raw',
  '5m': '5m',
  '1h': '1h',
};

export interface ExecutionWishes {
  readonly resolution: SourceResolution;
  readonly explain: boolean;
}

/** Throws RefusedError on a value that is neither. */
export function executionWishes(params: PrometheusParams): ExecutionWishes {
  const text = params.text('max_source_resolution');
  const resolution = Object.hasOwn(resolutions, text) ? resolutions[text] : undefined;
  if (resolution === undefined) {
    throw invalid('max_source_resolution', `${JSON.stringify(text)} is none of auto, raw (0s), 5m and 1h`);
  }
  const explain = params.text('explain');
  if (!['', '0', 'false', '1', 'true'].includes(explain)) {
    throw invalid('explain', `${JSON.stringify(explain)} is neither 1 nor 0`);
  }
  return { resolution, explain: explain === '1' || explain === 'true' };
}
