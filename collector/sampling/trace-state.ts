/**
 * The W3C trace state of a span that was sampled: its threshold (`ot=th:...`) raised or erased, everything else kept.
 *
 *   'vendor=x'            raised to c  ->  'ot=th:c,vendor=x'
 *   'ot=rv:12ab...;th:8'  raised to c  ->  'ot=th:c;rv:12ab...'      raised to 4  ->  unchanged: it is higher already
 *   'ot=th:8,vendor=x'    erased       ->  'vendor=x'
 *
 * A sampler further down can raise a threshold and not lower it; one that does not know its probability erases it
 * (TraceState: Probability Sampling, General requirements). A member that is changed moves to the front (W3C Trace
 * Context, Mutating the tracestate Field).
 */
import { compareThresholds, parseThreshold, type Threshold } from './threshold.ts';

/** W3C Trace Context, tracestate: at most so many list members. */
const membersMax = 32;
const ownKey = 'ot=';

/** `threshold` undefined: erase. */
export function withThreshold(traceState: string, threshold: Threshold | undefined): string {
  if (traceState === '') return threshold === undefined ? '' : `${ownKey}th:${threshold.text}`;
  const members = traceState.split(',');
  const own = members.findIndex((member) => member.trim().startsWith(ownKey));
  const pairs = own === -1 ? [] : members[own]!.trim().slice(ownKey.length).split(';');
  const before = pairs.find((pair) => pair.startsWith('th:'));
  if (before === undefined && threshold === undefined) return traceState;
  const earlier = before === undefined ? undefined : parseThreshold(before.slice(3));
  if (threshold !== undefined && earlier !== undefined && compareThresholds(earlier, threshold) >= 0)
    return traceState;
  const kept = pairs.filter((pair) => pair !== '' && !pair.startsWith('th:'));
  if (threshold !== undefined) kept.unshift(`th:${threshold.text}`);
  const others = members.filter((_, index) => index !== own);
  if (kept.length === 0) return others.join(',');
  return [`${ownKey}${kept.join(';')}`, ...others.slice(0, membersMax - 1)].join(',');
}

/** The explicit randomness (`rv`) in a trace state, as 24 and 32 bits; undefined where it has none. */
export function explicitRandomness(traceState: string): { high: number; low: number } | undefined {
  const digits = /(?:^|,)[ \t]*ot=(?:[^,]*;)?rv:([0-9a-f]{14})(?:[;,\t ]|$)/.exec(traceState)?.[1];
  if (digits === undefined) return undefined;
  return { high: Number.parseInt(digits.slice(0, 6), 16), low: Number.parseInt(digits.slice(6), 16) };
}
