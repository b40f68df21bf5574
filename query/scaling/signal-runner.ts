/**
 * One scaling signal: evaluated once per interval however many ask, cached, and answered from the cache.
 */
import { errorMessage } from '#model/errors.ts';
import type { Clock } from '../clock.ts';
import type { InstantQuery } from '../instant.ts';
import { nextEvaluationMs, offsetMs } from '../rules/alignment.ts';
import type { EvaluationSlots } from '../rules/evaluation-slots.ts';
import type { RulesLog } from '../rules/rules-log.ts';
import type { StoredSignal } from '../sql/scaling.ts';
import type { DecisionRecorder } from './decision-recorder.ts';
import { type Recommendation, recommendReplicas } from './recommender.ts';
import { ReplicaHistory } from './replica-history.ts';
import type { SignalDefinition } from './signal-definition.ts';

export interface SignalContext {
  readonly instantQuery: InstantQuery;
  readonly clock: Clock;
  readonly log: RulesLog;
  readonly slots: EvaluationSlots;
  readonly recorder: DecisionRecorder;
}

/** What the last evaluation found, and what is served for it. */
export interface Evaluation {
  readonly evaluatedAtMs: number;
  /** What the query gave; undefined where data is missing. */
  readonly measured: number | undefined;
  /** The value to scale on; undefined where the missing-data policy has none. */
  readonly value: number | undefined;
  readonly served: 'measured' | 'held' | 'zero' | 'none';
  /** When the value was measured; of a held one, long ago. */
  readonly measuredAtMs: number | undefined;
  /** Why data is missing. */
  readonly reason: string | undefined;
}

export interface SignalAnswer {
  readonly evaluation: Evaluation;
  /** How old the evaluation is. */
  readonly ageMs: number;
  readonly isActive: boolean;
  /** Undefined where nobody said how many replicas there are, or there is no value. */
  readonly recommendation: Recommendation | undefined;
}

export class SignalRunner {
  readonly stored: StoredSignal;
  readonly definition: SignalDefinition;
  evaluation: Evaluation | undefined;
  evaluationCount = 0;
  readonly #context: SignalContext;
  #history = new ReplicaHistory();
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;
  /** The evaluation and replica count of the last recorded decision: an ask that changes nothing is not recorded. */
  #recorded = '';

  constructor(context: SignalContext, stored: StoredSignal, definition: SignalDefinition) {
    this.#context = context;
    this.stored = stored;
    this.definition = definition;
  }

  /** Goes on where the former definition of the same signal stopped. A value is held only for the query that gave it. */
  adopt(former: SignalRunner): void {
    this.#history = former.#history;
    if (former.definition.query === this.definition.query) this.evaluation = former.evaluation;
  }

  /** Does nothing where it is started already. */
  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** Answers from the last evaluation; undefined before the first one. */
  answer(currentReplicas: number | undefined): SignalAnswer | undefined {
    const { evaluation } = this;
    if (evaluation === undefined) return undefined;
    const nowMs = this.#context.clock.nowMs();
    if (currentReplicas !== undefined) this.#history.observe(currentReplicas, nowMs);
    const answer = this.#decide(evaluation, currentReplicas, nowMs);
    if (currentReplicas !== undefined) this.#record(answer, currentReplicas);
    return answer;
  }

  /** Evaluates at one time. Never rejects: a query that fails is missing data, with its reason. */
  async evaluate(timeMs: number): Promise<void> {
    const { instantQuery, log } = this.#context;
    const abort = this.#stopping.signal;
    let measured: number | undefined;
    let reason: string | undefined;
    try {
      const samples = await instantQuery({
        tenant: this.stored.tenant,
        query: this.definition.query,
        timeMs,
        abort,
      });
      measured = samples.length === 1 && Number.isFinite(samples[0].value) ? samples[0].value : undefined;
      if (measured === undefined) reason = missingReason(samples.map((sample) => sample.value));
    } catch (error) {
      if (abort.aborted) return;
      reason = errorMessage(error);
    }
    if (reason !== undefined && reason !== this.evaluation?.reason) {
      log.warn(
        { tenant: this.stored.tenant, signal: this.stored.name, reason },
        'a scaling signal has no data',
      );
    }
    this.evaluationCount++;
    this.evaluation = this.#serve(timeMs, measured, reason);
    const current = this.#history.currentReplicas;
    this.#record(this.#decide(this.evaluation, current, this.#context.clock.nowMs()), current);
  }

  async #run(): Promise<void> {
    const { clock, slots } = this.#context;
    const abort = this.#stopping.signal;
    const intervalMs = this.definition.interval_ms;
    const offset = offsetMs(`${this.stored.tenant}/${this.stored.name}`, intervalMs);
    try {
      // At once, so that a new signal has an answer; then at its place in the interval.
      let timeMs = clock.nowMs();
      while (!abort.aborted) {
        await slots.run(() => this.evaluate(timeMs));
        timeMs = nextEvaluationMs(Math.max(clock.nowMs(), timeMs + 1), intervalMs, offset);
        await clock.sleep(timeMs - clock.nowMs(), abort);
      }
    } catch (error) {
      // The sleep ends so when the runner is stopped.
      if (!abort.aborted) throw error;
    }
  }

  #serve(evaluatedAtMs: number, measured: number | undefined, reason: string | undefined): Evaluation {
    const base = { evaluatedAtMs, measured, reason };
    if (measured !== undefined) {
      return { ...base, value: measured, served: 'measured', measuredAtMs: evaluatedAtMs };
    }
    const last = this.evaluation;
    const measuredAtMs = last?.measuredAtMs;
    switch (this.definition.missing_data) {
      case 'zero':
        return { ...base, value: 0, served: 'zero', measuredAtMs };
      case 'fail':
        return { ...base, value: undefined, served: 'none', measuredAtMs };
      case 'hold':
        return {
          ...base,
          value: last?.value,
          served: last?.value === undefined ? 'none' : 'held',
          measuredAtMs,
        };
      default:
        throw new Error(`BUG: missing-data policy ${this.definition.missing_data satisfies never}`);
    }
  }

  #decide(evaluation: Evaluation, currentReplicas: number | undefined, nowMs: number): SignalAnswer {
    const { definition } = this;
    const { value, evaluatedAtMs } = evaluation;
    const ageMs = Math.max(nowMs - evaluatedAtMs, 0);
    const isActive = value !== undefined && value > definition.activation_threshold;
    if (value === undefined || currentReplicas === undefined) {
      return { evaluation, ageMs, isActive, recommendation: undefined };
    }
    const request = { definition, value, isActive, currentReplicas, evaluatedAtMs, nowMs };
    return { evaluation, ageMs, isActive, recommendation: recommendReplicas(request, this.#history) };
  }

  #record({ evaluation, recommendation }: SignalAnswer, currentReplicas: number | undefined): void {
    const decision = `${evaluation.evaluatedAtMs}/${currentReplicas}`;
    if (decision === this.#recorded) return;
    this.#recorded = decision;
    this.#context.recorder.record({
      tenant: this.stored.tenant,
      timeMs: evaluation.evaluatedAtMs,
      signal: this.stored.name,
      value: evaluation.measured,
      served: evaluation.value,
      desiredReplicas: recommendation?.desiredReplicas,
      reason: recommendation?.explanation ?? evaluation.reason ?? evaluation.served,
    });
  }
}

function missingReason(values: readonly number[]): string {
  if (values.length === 0) return 'the query returned no result';
  if (values.length === 1) return `the query returned ${values[0]}`;
  return `the query returned ${values.length} results: a signal needs one (aggregate it, as with sum)`;
}
