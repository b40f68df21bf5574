/**
 * A tenant's policies, ready to judge traces of one partition: the first that keeps a trace decides, a drop policy
 * that holds comes before all of them, and a trace that none keeps is dropped.
 *
 *   new PolicySet(policies, 1 / partitions).decide(facts, decisionMs)  ->  a verdict, 0 for dropped
 *
 * A verdict is a number, so that a table of traces holds it: which policy kept the trace, and what its spans' threshold
 * becomes. The threshold does not depend on which policy came first: a trace that one policy always keeps was certain to be
 * kept, although a policy by chance may have kept it before.
 */
import type { LeafPolicy, Policy } from './policy-schema.ts';
import { RateMeter } from './rate-meter.ts';
import { SpanConditions } from './span-conditions.ts';
import { compareThresholds, type Threshold, thresholdOf } from './threshold.ts';
import type { TraceFacts } from './trace-facts.ts';

export const verdictDropped = 0;
/** On spans that are in no trace: they are kept, and counted where they are refused. */
export const verdictPassed = 0xffff;

/** Of traces that are certain to be kept: their spans stay as they are. */
const certain: Threshold = thresholdOf(1);
/** What is kept by a rate has no probability that anybody knows: its threshold is erased. */
type ThresholdOrUnknown = Threshold | 'unknown';

interface Judge {
  readonly name: string;
  /** Keeps nothing and drops what it holds for. */
  readonly isDrop: boolean;
  readonly threshold: ThresholdOrUnknown;
  /** Whether the trace's content fits, chance and rate left aside. */
  readonly fits: (facts: TraceFacts) => boolean;
  /** Whether it is kept; a rate is charged. */
  readonly keeps: (facts: TraceFacts, decisionMs: number) => boolean;
}

const nsPerMs = 1e6;

export class PolicySet {
  readonly conditions = new SpanConditions();
  readonly #judges: readonly Judge[];
  readonly #drops: readonly Judge[];
  /** `certain` first, then those of chance, then `unknown`. */
  readonly #thresholds: readonly ThresholdOrUnknown[];
  readonly #rateShare: number;

  /** `rateShare`: of rates, which are for all partitions together, what this one may take. */
  constructor(policies: readonly Policy[], rateShare: number) {
    this.#rateShare = rateShare;
    const judges = policies.map((policy) => this.#judge(policy));
    this.#drops = judges.filter(({ isDrop }) => isDrop);
    this.#judges = judges.filter(({ isDrop }) => !isDrop);
    const texts = new Map<string, Threshold>([[certain.text, certain]]);
    for (const { threshold } of this.#judges) {
      if (threshold !== 'unknown' && !texts.has(threshold.text)) texts.set(threshold.text, threshold);
    }
    this.#thresholds = [...texts.values(), 'unknown'];
  }

  /** Whether trace states have to be read for randomness of their own. */
  get asksForRandomness(): boolean {
    return this.#thresholds.length > 2;
  }

  /** Judges the trace that `facts` is at, as of a time in the log; the times must not fall. */
  decide(facts: TraceFacts, decisionMs: number): number {
    for (const drop of this.#drops) if (drop.fits(facts)) return verdictDropped;
    for (const [index, judge] of this.#judges.entries()) {
      if (judge.keeps(facts, decisionMs)) return this.#verdict(index, this.#effectiveThreshold(facts));
    }
    return verdictDropped;
  }

  /** The name of the policy that kept a trace; undefined where none did. */
  policyOf(verdict: number): string | undefined {
    if (verdict === verdictDropped) return undefined;
    return this.#judges[Math.floor((verdict - 1) / this.#thresholds.length)]!.name;
  }

  /** What the threshold of a kept trace's spans becomes: undefined where they stay as they are. */
  thresholdOf(verdict: number): ThresholdOrUnknown | undefined {
    const threshold = this.#thresholds[(verdict - 1) % this.#thresholds.length]!;
    return threshold === certain ? undefined : threshold;
  }

  #verdict(judge: number, threshold: ThresholdOrUnknown): number {
    return 1 + judge * this.#thresholds.length + this.#thresholds.indexOf(threshold);
  }

  /** The lowest of the thresholds that the trace has passed: what it is kept by in any case. */
  #effectiveThreshold(facts: TraceFacts): ThresholdOrUnknown {
    let lowest: ThresholdOrUnknown = 'unknown';
    for (const { threshold, fits } of this.#judges) {
      if (threshold === 'unknown' || !fits(facts)) continue;
      if (!facts.isRandomAtLeast(threshold.high, threshold.low)) continue;
      if (lowest === 'unknown' || compareThresholds(threshold, lowest) < 0) lowest = threshold;
    }
    if (lowest === 'unknown') return lowest;
    const { text } = lowest;
    return this.#thresholds.find((each) => each !== 'unknown' && each.text === text)!;
  }

  #judge(policy: Policy): Judge {
    if (policy.type === 'composite') return this.#composite(policy);
    if ('policies' in policy) return this.#group(policy);
    const { name } = policy;
    if (policy.type === 'rate_limiting') {
      const { spans_per_second: spans, traces_per_second: traces } = policy.options;
      const meter = new RateMeter((spans ?? traces!) * this.#rateShare);
      const cost = (facts: TraceFacts): number => (spans === undefined ? 1 : facts.spanCount);
      const keeps = (facts: TraceFacts, decisionMs: number): boolean => meter.take(cost(facts), decisionMs);
      return { name, isDrop: false, threshold: 'unknown', fits: () => true, keeps };
    }
    if (policy.type === 'probabilistic') {
      const probability = policy.options.sampling_percentage / 100;
      if (probability === 0) return never(name);
      const threshold = thresholdOf(probability);
      const keeps = (facts: TraceFacts): boolean => facts.isRandomAtLeast(threshold.high, threshold.low);
      return { name, isDrop: false, threshold, fits: () => true, keeps };
    }
    const fits = this.#condition(policy);
    return { name, isDrop: false, threshold: certain, fits, keeps: fits };
  }

  #condition(
    policy: Exclude<LeafPolicy, { type: 'rate_limiting' | 'probabilistic' }>,
  ): (facts: TraceFacts) => boolean {
    switch (policy.type) {
      case 'always_sample':
        return () => true;
      case 'status_code': {
        const condition = this.conditions.addStatus(policy.options.status_codes);
        return (facts) => facts.has(condition);
      }
      case 'latency': {
        const {
          threshold_ms: above,
          upper_threshold_ms: upTo = Number.POSITIVE_INFINITY,
          of,
        } = policy.options;
        const ns = (facts: TraceFacts): number => (of === 'root' ? facts.rootNs : facts.traceNs);
        return (facts) => ns(facts) >= above * nsPerMs && ns(facts) <= upTo * nsPerMs;
      }
      case 'span_count': {
        const { min_spans: min, max_spans: max = Number.POSITIVE_INFINITY } = policy.options;
        return ({ spanCount }) => spanCount >= min && spanCount <= max;
      }
      default: {
        const condition = this.conditions.addAttribute(policy);
        return (facts) => facts.has(condition);
      }
    }
  }

  #group(policy: Extract<Policy, { type: 'and' | 'not' | 'drop' }>): Judge {
    const judges = policy.policies.map((each) => this.#judge(each));
    const { name, type } = policy;
    if (type === 'not') {
      const fits = (facts: TraceFacts): boolean => !judges.every((judge) => judge.fits(facts));
      return { name, isDrop: false, threshold: certain, fits, keeps: fits };
    }
    // Rates last: they are charged only for what the others keep.
    const ordered = judges.toSorted(
      (a, b) => Number(a.threshold === 'unknown') - Number(b.threshold === 'unknown'),
    );
    let threshold: ThresholdOrUnknown = certain;
    for (const { threshold: each } of ordered) {
      if (each === 'unknown' || threshold === 'unknown') threshold = 'unknown';
      else if (compareThresholds(each, threshold) > 0) threshold = each;
    }
    return {
      name,
      isDrop: type === 'drop',
      threshold,
      fits: (facts) => ordered.every((judge) => judge.fits(facts)),
      keeps: (facts, decisionMs) => ordered.every((judge) => judge.keeps(facts, decisionMs)),
    };
  }

  /** The first that keeps a trace decides, and drops it where its share of the rate is used up. */
  #composite({ name, spansPerSecond, shares }: Extract<Policy, { type: 'composite' }>): Judge {
    const parts = shares.map(({ policy, share }) => ({
      judge: this.#judge(policy),
      meter: new RateMeter(spansPerSecond * share * this.#rateShare),
    }));
    return {
      name,
      isDrop: false,
      threshold: 'unknown',
      fits: (facts) => parts.some(({ judge }) => judge.fits(facts)),
      keeps: (facts, decisionMs) => {
        const part = parts.find(({ judge }) => judge.keeps(facts, decisionMs));
        return part?.meter.take(facts.spanCount, decisionMs) === true;
      },
    };
  }
}

function never(name: string): Judge {
  return { name, isDrop: false, threshold: 'unknown', fits: () => false, keeps: () => false };
}
