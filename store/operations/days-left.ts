/**
 * For how many days the room lasts, at the pace of the last days.
 *
 *   100 GB of room, 10 GB a day, kept for ever     ->  10
 *   100 GB of room, 10 GB a day, kept for 7 days   ->  'enough': from then on as much is dropped as comes
 *   a store that is younger than an hour           ->  'unknown'
 *
 * The pace is what the partitions of the last days hold by now, compressed and merged; a backfill of old days does not
 * count as pace.
 */
import type { Partition } from '../partitions.ts';

/** Days until the first insert is refused, or until the byte budget drops what retention would have kept. */
export type DaysLeft = number | 'unknown' | 'enough';

export interface GrowthFacts {
  readonly partitions: readonly Pick<Partition, 'startMs' | 'endMs' | 'bytes'>[];
  /** Tables without partitions: nothing of theirs is dropped. */
  readonly otherBytes: number;
  /** When the store was made; NaN where it is not known. */
  readonly bornMs: number;
  readonly nowMs: number;
  /** 0 keeps for ever. */
  readonly retentionMs: number;
  readonly roomBytes: number;
}

const dayMs = 86_400_000;
/** Long enough to hold a weekend, short enough to follow a change. */
const windowDays = 7;
const historyMsMin = 3_600_000;
/** Further ahead no pace holds; also bounds the walk below. */
const horizonDays = 3650;

export function estimateDaysLeft(facts: GrowthFacts): {
  readonly growthBytesPerDay: number | null;
  readonly daysLeft: DaysLeft;
} {
  const { bornMs, nowMs, otherBytes } = facts;
  const ageMs = nowMs - bornMs;
  if (!(ageMs >= historyMsMin)) return { growthBytesPerDay: null, daysLeft: 'unknown' };
  const windowStartMs = Math.max(nowMs - windowDays * dayMs, bornMs);
  let bytes = otherBytes * ((nowMs - windowStartMs) / ageMs);
  for (const { startMs, endMs, bytes: held } of facts.partitions) {
    // A partition that began before the store did holds what came since.
    const fromMs = startMs < bornMs && endMs > bornMs ? bornMs : startMs;
    const untilMs = Math.min(endMs, nowMs);
    if (!(untilMs > fromMs)) continue;
    const inWindowMs = Math.max(0, untilMs - Math.max(fromMs, windowStartMs));
    bytes += held * (inWindowMs / (untilMs - fromMs));
  }
  const growthBytesPerDay = bytes / ((nowMs - windowStartMs) / dayMs);
  if (!(growthBytesPerDay > 0)) return { growthBytesPerDay: 0, daysLeft: 'unknown' };
  return { growthBytesPerDay, daysLeft: walkDays(facts, growthBytesPerDay) };
}

/** Adds a day's growth and takes away what expires that day, until the room is used up. */
function walkDays(facts: GrowthFacts, growthBytesPerDay: number): DaysLeft {
  const { partitions, nowMs, retentionMs, roomBytes } = facts;
  if (retentionMs === 0) return Math.min(horizonDays, roomBytes / growthBytesPerDay);
  let used = 0;
  for (let day = 1; day <= Math.min(horizonDays, Math.ceil(retentionMs / dayMs)); day++) {
    const before = used;
    const edgeMs = nowMs + day * dayMs - retentionMs;
    const expired = partitions
      .filter(({ endMs }) => endMs <= edgeMs && endMs > edgeMs - dayMs)
      .reduce((total, { bytes }) => total + bytes, 0);
    if (before + growthBytesPerDay > roomBytes) return day - 1 + (roomBytes - before) / growthBytesPerDay;
    used = before + growthBytesPerDay - expired;
  }
  return 'enough';
}
