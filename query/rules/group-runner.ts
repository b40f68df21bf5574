/**
 * Runs one rule group: every interval its rules one after the other, then what is due goes to the notifier and what
 * changed goes to the store. Time, queries and the store come in.
 */
import { metrics } from '@opentelemetry/api';
import { errorMessage } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import type { Clock } from '../clock.ts';
import { insertAlertStates, selectAlertStates } from '../sql/alert-states.ts';
import type { StoredRuleGroup } from '../sql/rules.ts';
import { type Alert, resolveAll, takeDue } from './alert-state.ts';
import { nextEvaluationMs, offsetMs } from './alignment.ts';
import type { EvaluationSlots } from './evaluation-slots.ts';
import { type EvaluatorOptions, evaluateRule } from './evaluator.ts';
import {
  changedRows,
  markStored,
  newRuleState,
  outageToleranceMs,
  type RuleState,
  restoreAlerts,
  ruleIdentity,
} from './group-state.ts';
import type { AlertNotice } from './notify/alert-notice.ts';
import type { Notifier } from './notify/notifier.ts';
import type { RuleGroup } from './rule-group.ts';
import type { RulesLog } from './rules-log.ts';

export interface RunnerContext extends EvaluatorOptions {
  readonly store: Store;
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly log: RulesLog;
  readonly slots: EvaluationSlots;
  readonly intervalMsDefault: number;
}

/** Prometheus's default. */
const resendDelayMs = 60_000;

const meter = metrics.getMeter('sonde');
const evaluationCounter = meter.createCounter('sonde.rules.evaluations', {
  description: 'Evaluations of rules, by outcome.',
});
const missedCounter = meter.createCounter('sonde.rules.groups.missed', {
  description: 'Evaluations of groups that were left out because the one before took too long.',
});

export class GroupRunner {
  readonly stored: StoredRuleGroup;
  readonly group: RuleGroup;
  readonly intervalMs: number;
  readonly states: readonly RuleState[];
  evaluatedAtMs: number | undefined;
  evaluationMs = 0;
  missedCount = 0;
  failedCount = 0;
  readonly #context: RunnerContext;
  readonly #stopping = new AbortController();
  #isRestored = false;
  #loop: Promise<void> | undefined;

  constructor(context: RunnerContext, stored: StoredRuleGroup, group: RuleGroup) {
    this.#context = context;
    this.stored = stored;
    this.group = group;
    this.intervalMs = group.intervalMs ?? context.intervalMsDefault;
    this.states = group.rules.map(newRuleState);
  }

  /** Takes over the alerts of the group's former version; rules that are gone end their alerts. */
  async adopt(former: GroupRunner): Promise<void> {
    const byIdentity = new Map(former.states.map((state) => [ruleIdentity(state.rule), state]));
    for (const state of this.states) {
      const before = byIdentity.get(ruleIdentity(state.rule));
      if (before === undefined) continue;
      byIdentity.delete(ruleIdentity(state.rule));
      for (const [key, alert] of before.alerts) state.alerts.set(key, alert);
      for (const [key, mark] of before.stored) state.stored.set(key, mark);
    }
    this.#isRestored = former.#isRestored;
    await former.#end([...byIdentity.values()]);
  }

  /** Ends every alert: the group is deleted. It must be stopped. */
  async dissolve(): Promise<void> {
    await this.#restore();
    await this.#end(this.states);
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Resolves when no evaluation runs any more; what the last one changed is stored. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#persist(this.states, this.#context.clock.nowMs());
  }

  async #run(): Promise<void> {
    const { clock, slots, log } = this.#context;
    const abort = this.#stopping.signal;
    const { tenant, namespace, name } = this.stored;
    const offset = offsetMs(`${tenant}/${namespace}/${name}`, this.intervalMs);
    let timeMs = nextEvaluationMs(clock.nowMs(), this.intervalMs, offset);
    try {
      while (!abort.aborted) {
        await clock.sleep(Math.max(timeMs - clock.nowMs(), 0), abort);
        await slots.run(() => this.evaluate(timeMs));
        const steps = Math.max(1, Math.floor((clock.nowMs() - timeMs) / this.intervalMs));
        if (steps > 1) {
          this.missedCount += steps - 1;
          missedCounter.add(steps - 1);
          log.warn(
            { tenant, namespace, group: name, missed: steps - 1 },
            'rule group evaluations were missed',
          );
        }
        timeMs += steps * this.intervalMs;
      }
    } catch (error) {
      // The sleep ends so when the runner is stopped.
      if (!abort.aborted) throw error;
    }
  }

  /** Evaluates the group at one time. A rule that fails keeps its alerts and says why; the others go on. */
  async evaluate(timeMs: number): Promise<void> {
    const { clock } = this.#context;
    const startMs = clock.nowMs();
    if (!(await this.#restore())) return;
    for (const state of this.states) {
      if (this.#stopping.signal.aborted) return;
      await this.#evaluateRule(state, timeMs);
      this.#notify(
        state,
        takeDue(state.alerts.values(), { timeMs, resendDelayMs, intervalMs: this.intervalMs }),
        timeMs,
      );
    }
    this.evaluationMs = clock.nowMs() - startMs;
    await this.#persist(this.states, timeMs);
    this.evaluatedAtMs = timeMs;
  }

  async #evaluateRule(state: RuleState, timeMs: number): Promise<void> {
    const { clock, log } = this.#context;
    const { rule, alerts } = state;
    const abort = this.#stopping.signal;
    const startMs = clock.nowMs();
    try {
      await evaluateRule(this.#context, {
        tenant: this.stored.tenant,
        group: this.group,
        rule,
        alerts,
        timeMs,
        abort,
      });
      state.health = 'ok';
      state.lastError = undefined;
      evaluationCounter.add(1, { outcome: 'ok' });
    } catch (error) {
      if (abort.aborted) return;
      const { tenant, namespace, name } = this.stored;
      // Said once per reason: a broken rule would fill the log.
      if (state.lastError !== errorMessage(error)) {
        log.warn(
          { tenant, namespace, group: name, rule: rule.name, error: errorMessage(error) },
          'a rule failed',
        );
      }
      state.health = 'err';
      state.lastError = errorMessage(error);
      this.failedCount++;
      evaluationCounter.add(1, { outcome: 'failed' });
    }
    state.evaluatedAtMs = timeMs;
    state.evaluationMs = clock.nowMs() - startMs;
  }

  /** Returns false where the store could not be read: evaluating then would forget how long alerts were pending. */
  async #restore(): Promise<boolean> {
    if (this.#isRestored) return true;
    const { store, clock, log } = this.#context;
    const nowMs = clock.nowMs();
    try {
      const rows = await selectAlertStates(store, this.stored, nowMs - outageToleranceMs);
      restoreAlerts(this.states, rows, { ...this.#context, nowMs });
      this.#isRestored = true;
      return true;
    } catch (error) {
      const fact = `the group's alerts could not be read from the store: ${errorMessage(error)}`;
      log.warn({ tenant: this.stored.tenant, group: this.stored.name, error: fact }, 'a rule group waits');
      for (const state of this.states) {
        state.health = 'err';
        state.lastError = fact;
      }
      this.failedCount++;
      return false;
    }
  }

  #notify(state: RuleState, due: readonly Alert[], timeMs: number): void {
    if (due.length === 0) return;
    const { notifier, externalUrl } = this.#context;
    const query = encodeURIComponent(state.rule.expr);
    notifier.send({
      tenant: this.stored.tenant,
      namespace: this.stored.namespace,
      group: this.stored.name,
      rule: state.rule.name,
      generatorUrl: `${externalUrl}/graph?g0.expr=${query}&g0.tab=1`,
      timeMs,
      notices: due.map((alert) => this.#notice(alert)),
      delivered: () => {
        for (const alert of due) alert.sentAtMs = timeMs;
      },
    });
  }

  /** External labels name the Sonde that sent it; the alert's own labels go before them. */
  #notice(alert: Alert): AlertNotice {
    const own = new Set(alert.labels.map(([name]) => name));
    const extra = this.#context.externalLabels.filter(([name]) => !own.has(name));
    const labels = [...alert.labels, ...extra].sort(([a], [b]) => (a < b ? -1 : 1));
    const startsAtMs = alert.firedAtMs ?? alert.activeAtMs;
    const isResolved = alert.status === 'inactive';
    const resolvedAtMs = alert.resolvedAtMs ?? startsAtMs;
    return {
      labels,
      annotations: alert.annotations,
      status: isResolved ? 'resolved' : 'firing',
      startsAtMs,
      endsAtMs: isResolved ? resolvedAtMs : alert.validUntilMs,
      changedAtMs: isResolved ? resolvedAtMs : startsAtMs,
      sentAtMs: alert.sentAtMs,
    };
  }

  async #end(states: readonly RuleState[]): Promise<void> {
    const timeMs = this.#context.clock.nowMs();
    for (const state of states) {
      const ended = resolveAll(state.alerts, timeMs);
      this.#notify(state, takeDue(ended, { timeMs, resendDelayMs, intervalMs: this.intervalMs }), timeMs);
    }
    await this.#persist(states, timeMs);
  }

  async #persist(states: readonly RuleState[], timeMs: number): Promise<void> {
    // What was not read yet must not be written over.
    if (!this.#isRestored) return;
    const { store, log } = this.#context;
    const changes = states.map((state) => ({ state, rows: changedRows(state, timeMs) }));
    try {
      const rows = changes.flatMap((change) => change.rows);
      if (rows.length > 0) await insertAlertStates(store, this.stored, rows);
      for (const { state, rows: written } of changes) markStored(state, written, timeMs);
    } catch (error) {
      // The rows are still unmarked: the next evaluation writes them again.
      const { tenant, namespace, name } = this.stored;
      log.warn(
        { tenant, namespace, group: name, error: errorMessage(error) },
        'alert states could not be stored',
      );
    }
  }
}
