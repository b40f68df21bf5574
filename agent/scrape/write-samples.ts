/** Writes the samples of a parsed page into a tracker's run. */
import type { ExemplarMemory } from './exemplar-memory.ts';
import type { PageSamples } from './page-samples.ts';
import type { SeriesTracker, WriteOutcome } from './series-tracker.ts';
import type { StartGroups } from './start-groups.ts';

/** Samples that were not written, by reason. */
export type SampleRefusals = Record<Exclude<WriteOutcome, 'written'> | 'out_of_bounds', number>;

/** A sample is at most so far ahead of this agent's clock (Prometheus, maxAheadTime). */
const aheadMsMax = 10 * 60_000;

export interface WriteSettings {
  readonly isHonoringTimestamps: boolean;
  /** Of this agent's clock. */
  readonly nowMs: number;
}

/** Returns which samples the tracker did not take. */
export function writeSamples(
  { series, values, timestampsMs, startsMs, rich, count }: PageSamples,
  tracker: SeriesTracker,
  starts: StartGroups,
  exemplars: ExemplarMemory,
  { isHonoringTimestamps, nowMs }: WriteSettings,
): SampleRefusals {
  const refused: SampleRefusals = { duplicate: 0, out_of_order: 0, out_of_bounds: 0 };
  const timestampMsMax = nowMs + aheadMsMax;
  let nextRich = 0;
  for (let i = 0; i < count; i++) {
    const timestampMs = isHonoringTimestamps ? timestampsMs[i]! : Number.NaN;
    const startMs = startsMs[i]! < 0 ? starts.startMs(-1 - startsMs[i]!) : startsMs[i]!;
    const isRich = nextRich < rich.length && rich[nextRich]!.index === i;
    const extra = isRich ? rich[nextRich++] : undefined;
    if (timestampMs > timestampMsMax) {
      refused.out_of_bounds++;
      continue;
    }
    const outcome = extra
      ? tracker.writeRecord(series[i]!, {
          value: values[i]!,
          histogram: extra.histogram,
          exemplars: extra.fresh,
          timestampMs,
          startMs,
        })
      : tracker.write(series[i]!, values[i]!, timestampMs, startMs);
    if (outcome !== 'written') refused[outcome]++;
    else if (extra) exemplars.note(series[i]!, extra.shown);
  }
  return refused;
}
