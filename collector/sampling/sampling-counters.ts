/** What tail sampling decided, by tenant and policy, as metrics and for status. */
import { metrics } from '@opentelemetry/api';
import { type PolicySet, verdictDropped, verdictPassed } from './policy-set.ts';

export interface DecidedMessage {
  readonly tenant: string;
  readonly policies: PolicySet;
  /** Of each span, in the order of the bytes. */
  readonly verdicts: Uint16Array;
  /** Of each trace that was first seen in this message. */
  readonly traceVerdicts: Uint16Array;
  /** Spans that came after their trace was decided. */
  readonly lateKept: number;
  readonly lateDropped: number;
}

const meter = metrics.getMeter('sonde');
const counter = (name: string, description: string) =>
  meter.createCounter(`sonde.sampling.${name}`, { description });

const traceCounter = counter(
  'traces',
  'Traces that were decided, by tenant, decision, and the policy that kept them.',
);
const spanCounter = counter('spans', 'Spans of those traces, late ones included.');
const lateCounter = counter(
  'late_spans',
  'Spans that came after the decision on their trace, and followed it.',
);
const earlyCounter = counter(
  'early_decisions',
  'Traces that were decided before their wait was over, by reason: bytes (sampling.held_bytes_max), traces (sampling.traces_max), or gap (messages behind them are gone).',
);
const unscannedCounter = counter(
  'unscanned_messages',
  'Messages that could not be decoded: they go on as they are.',
);
const forgottenCounter = counter(
  'forgotten_traces',
  'Verdicts that were forgotten before sampling.late_wait was over, for sampling.traces_max.',
);
const bypassCounter = counter(
  'bypassed_requests',
  'Requests of traces that were pushed to a collector that samples: they are stored whole, sampling happens on Kafka.',
);

export type EarlyReason = 'bytes' | 'traces' | 'gap';
/** Of a policy set without a policy that kept the trace. */
const noPolicy = 'none';

export interface SamplingTotals {
  readonly tracesKept: number;
  readonly tracesDropped: number;
  readonly spansKept: number;
  readonly spansDropped: number;
  readonly lateKept: number;
  readonly lateDropped: number;
  readonly early: number;
}

export function countBypass(tenant: string): void {
  bypassCounter.add(1, { tenant });
}

export class SamplingCounters {
  #totals: { -readonly [Name in keyof SamplingTotals]: number } = {
    tracesKept: 0,
    tracesDropped: 0,
    spansKept: 0,
    spansDropped: 0,
    lateKept: 0,
    lateDropped: 0,
    early: 0,
  };

  totals(): SamplingTotals {
    return { ...this.#totals };
  }

  addMessage({ tenant, policies, verdicts, traceVerdicts, lateKept, lateDropped }: DecidedMessage): void {
    const add = (list: Uint16Array, target: typeof traceCounter): [number, number] => {
      let [kept, dropped] = [0, 0];
      const counts = new Map<number, number>();
      for (const verdict of list) {
        // What is in no trace is counted where it is refused.
        if (verdict !== verdictPassed) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
      }
      for (const [verdict, count] of counts) {
        const isKept = verdict !== verdictDropped;
        const policy = policies.policyOf(verdict) ?? noPolicy;
        target.add(count, { tenant, policy, decision: isKept ? 'kept' : 'dropped' });
        if (isKept) kept += count;
        else dropped += count;
      }
      return [kept, dropped];
    };
    const [tracesKept, tracesDropped] = add(traceVerdicts, traceCounter);
    const [spansKept, spansDropped] = add(verdicts, spanCounter);
    if (lateKept > 0) lateCounter.add(lateKept, { tenant, decision: 'kept' });
    if (lateDropped > 0) lateCounter.add(lateDropped, { tenant, decision: 'dropped' });
    const totals = this.#totals;
    totals.tracesKept += tracesKept;
    totals.tracesDropped += tracesDropped;
    totals.spansKept += spansKept;
    totals.spansDropped += spansDropped;
    totals.lateKept += lateKept;
    totals.lateDropped += lateDropped;
  }

  addEarly(count: number, reason: EarlyReason): void {
    if (count === 0) return;
    earlyCounter.add(count, { reason });
    this.#totals.early += count;
  }

  addForgotten(): void {
    forgottenCounter.add(1);
  }

  addUnscanned(tenant: string): void {
    unscannedCounter.add(1, { tenant });
  }
}
