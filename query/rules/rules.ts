/** Alerting rules of all tenants: change them, read them, and they are evaluated and told to receivers meanwhile. */
import { RefusedError } from '#model/errors.ts';
import type { Labels } from '#model/labels.ts';
import type { Store } from '#store/store.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { InstantQuery } from '../instant.ts';
import {
  insertRuleGroup,
  ruleGroupsPerTenantMax,
  type StoredRuleGroup,
  selectRuleGroups,
} from '../sql/rules.ts';
import { EvaluationSlots } from './evaluation-slots.ts';
import type { GroupRunner } from './group-runner.ts';
import { Notifier, type ReceiverStatus } from './notify/notifier.ts';
import { parseRuleGroup, type ValidateQuery } from './rule-group.ts';
import type { RulesLog } from './rules-log.ts';
import { RuleScheduler } from './scheduler.ts';

export interface RulesOptions {
  readonly store: Store;
  readonly instantQuery: InstantQuery;
  readonly validateQuery: ValidateQuery;
  /** URLs that get Alertmanager's webhook JSON. */
  readonly webhooks: readonly string[];
  /** Base URLs of Alertmanagers. */
  readonly alertmanagers: readonly string[];
  /** Where people reach this Sonde; no slash at the end. */
  readonly externalUrl: string;
  readonly evaluationIntervalMsDefault: number;
  /** Added to every alert that is sent. */
  readonly externalLabels?: Labels;
  readonly clock?: Clock;
  readonly log: RulesLog;
}

export interface RulesStatus {
  readonly groupCount: number;
  readonly ruleCount: number;
  readonly firingCount: number;
  readonly failedCount: number;
  readonly missedCount: number;
  readonly brokenGroups: readonly string[];
  readonly receivers: readonly ReceiverStatus[];
}

export interface RuleChange {
  readonly tenant: string;
  readonly namespace: string;
  /** Who asked for it, as far as it is known; kept with the version. */
  readonly author: string;
}

const evaluationsAtOnceMax = 4;
const namespaceCharsMax = 256;

/** Starts evaluating what is stored. Rejects with StoreError, or ConfigError where a receiver's URL cannot be read. */
export async function startRules(options: RulesOptions): Promise<Rules> {
  const rules = new Rules(options);
  await rules.start();
  return rules;
}

export class Rules {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #validateQuery: ValidateQuery;
  readonly #notifier: Notifier;
  readonly #scheduler: RuleScheduler;
  /** Changes happen one after the other, so that each sees the one before. */
  #changing: Promise<unknown> = Promise.resolve();

  constructor(options: RulesOptions) {
    const clock = options.clock ?? systemClock;
    const externalUrl = options.externalUrl.replace(/\/$/, '');
    this.#store = options.store;
    this.#clock = clock;
    this.#validateQuery = options.validateQuery;
    this.#notifier = new Notifier({ ...options, externalUrl, clock });
    this.#scheduler = new RuleScheduler({
      store: options.store,
      instantQuery: options.instantQuery,
      validateQuery: options.validateQuery,
      externalLabels: options.externalLabels ?? [],
      externalUrl,
      notifier: this.#notifier,
      clock,
      log: options.log,
      slots: new EvaluationSlots(evaluationsAtOnceMax),
      intervalMsDefault: options.evaluationIntervalMsDefault,
    });
  }

  /** Is called by startRules. */
  async start(): Promise<void> {
    await this.#scheduler.start();
  }

  /** Stops evaluations, stores what they changed, and lets go of the receivers. */
  async stop(): Promise<void> {
    await this.#scheduler.stop();
    await this.#notifier.stop();
  }

  /** Checks a group and stores it as the next version. Rejects with RefusedError that lists every mistake. */
  async put(change: RuleChange, yaml: string): Promise<void> {
    checkNamespace(change.namespace);
    const { name } = parseRuleGroup(yaml, this.#validateQuery);
    await this.#change(async () => {
      const groups = await this.configured(change.tenant);
      const known = groups.find((group) => group.namespace === change.namespace && group.name === name);
      if (known?.yaml === yaml) return;
      if (known === undefined && groups.length >= ruleGroupsPerTenantMax) {
        throw new RefusedError(`a tenant may have ${ruleGroupsPerTenantMax} rule groups`);
      }
      await insertRuleGroup(this.#store, {
        ...change,
        name,
        yaml,
        isDeleted: false,
        updatedMs: this.#clock.nowMs(),
      });
      await this.#scheduler.reload(change.tenant);
    });
  }

  /** Deletes a group, or a whole namespace where `name` is undefined. Returns how many groups were there. */
  async delete(change: RuleChange, name: string | undefined): Promise<number> {
    return this.#change(async () => {
      const groups = await this.configured(change.tenant);
      const doomed = groups.filter(
        (group) => group.namespace === change.namespace && (name === undefined || group.name === name),
      );
      const updatedMs = this.#clock.nowMs();
      for (const group of doomed) {
        await insertRuleGroup(this.#store, {
          ...change,
          name: group.name,
          yaml: '',
          isDeleted: true,
          updatedMs,
        });
      }
      if (doomed.length > 0) await this.#scheduler.reload(change.tenant);
      return doomed.length;
    });
  }

  /** A tenant's groups as they are stored, sorted by namespace and name. */
  configured(tenant: string): Promise<StoredRuleGroup[]> {
    return selectRuleGroups(this.#store, tenant);
  }

  /** A tenant's groups as they run, sorted by namespace and name. */
  running(tenant: string): readonly GroupRunner[] {
    return this.#scheduler.runners(tenant);
  }

  status(): RulesStatus {
    const runners = this.#scheduler.allRunners();
    const sum = (count: (runner: GroupRunner) => number) =>
      runners.reduce((all, runner) => all + count(runner), 0);
    return {
      groupCount: runners.length,
      ruleCount: sum((runner) => runner.states.length),
      firingCount: sum((runner) => firingCount(runner)),
      failedCount: sum((runner) => runner.failedCount),
      missedCount: sum((runner) => runner.missedCount),
      brokenGroups: this.#scheduler.broken().map(({ stored, reason }) => `${stored.tenant}: ${reason}`),
      receivers: this.#notifier.status(),
    };
  }

  #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const change = this.#changing.then(work);
    this.#changing = change.catch(() => {});
    return change;
  }
}

function firingCount(runner: GroupRunner): number {
  let count = 0;
  for (const { alerts } of runner.states) {
    for (const { status } of alerts.values()) if (status === 'firing') count++;
  }
  return count;
}

function checkNamespace(namespace: string): void {
  if (namespace === '' || namespace.length > namespaceCharsMax) {
    throw new RefusedError(`a namespace must have 1 to ${namespaceCharsMax} characters`);
  }
  if (/[\p{Cc}]/u.test(namespace)) throw new RefusedError('a namespace must not have control characters');
}
