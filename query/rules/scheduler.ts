/**
 * Keeps one runner per stored rule group: at start, when the API changes a group, and when another process did.
 */
import { errorMessage, RefusedError } from '#model/errors.ts';
import type { RuleGroupKey, StoredRuleGroup } from '../sql/rules.ts';
import { selectRuleGroups, selectRuleTenants } from '../sql/rules.ts';
import { GroupRunner, type RunnerContext } from './group-runner.ts';
import { parseRuleGroup, type RuleGroup, type ValidateQuery } from './rule-group.ts';

export interface SchedulerContext extends RunnerContext {
  readonly validateQuery: ValidateQuery;
}

/** A stored group that this version cannot run, and why. */
export interface BrokenGroup {
  readonly stored: StoredRuleGroup;
  readonly reason: string;
}

/** How soon a change by another process is seen. */
const reloadIntervalMs = 30_000;

export class RuleScheduler {
  readonly #context: SchedulerContext;
  readonly #stopping = new AbortController();
  /** By tenant, then by namespace and name. */
  readonly #runners = new Map<string, Map<string, GroupRunner>>();
  readonly #broken = new Map<string, BrokenGroup[]>();
  /** What each tenant's groups were when they were last loaded. */
  #revisions = new Map<string, string>();
  /** Reloads happen one after the other. */
  #reloading: Promise<void> = Promise.resolve();
  #loop: Promise<void> | undefined;

  constructor(context: SchedulerContext) {
    this.#context = context;
  }

  /** Loads every tenant's groups and starts them. Rejects with StoreError where the store cannot be read. */
  async start(): Promise<void> {
    await this.#poll();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#reloading;
    await Promise.all(
      [...this.#runners.values()].flatMap((runners) => [...runners.values()].map((r) => r.stop())),
    );
  }

  /** Brings one tenant's runners in line with the store. Resolves when the new ones run. */
  reload(tenant: string): Promise<void> {
    const reload = this.#reloading.then(() => this.#reload(tenant));
    // The next reload must not fail because this one did.
    this.#reloading = reload.catch(() => {});
    return reload;
  }

  /** A tenant's running groups, sorted by namespace and name. */
  runners(tenant: string): GroupRunner[] {
    return [...(this.#runners.get(tenant)?.values() ?? [])];
  }

  allRunners(): GroupRunner[] {
    return [...this.#runners.values()].flatMap((runners) => [...runners.values()]);
  }

  broken(): BrokenGroup[] {
    return [...this.#broken.values()].flat();
  }

  async #run(): Promise<void> {
    const abort = this.#stopping.signal;
    while (!abort.aborted) {
      try {
        await this.#context.clock.sleep(reloadIntervalMs, abort);
        await this.#poll();
      } catch (error) {
        if (abort.aborted) return;
        // The groups that run go on; the next poll tries again.
        this.#context.log.warn({ error: errorMessage(error) }, 'rule groups could not be reloaded');
      }
    }
  }

  async #poll(): Promise<void> {
    const revisions = await selectRuleTenants(this.#context.store);
    for (const [tenant, revision] of revisions) {
      if (this.#revisions.get(tenant) === revision) continue;
      await this.reload(tenant);
    }
    this.#revisions = revisions;
  }

  async #reload(tenant: string): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const stored = await selectRuleGroups(this.#context.store, tenant);
    const before = this.#runners.get(tenant) ?? new Map<string, GroupRunner>();
    const after = new Map<string, GroupRunner>();
    const broken: BrokenGroup[] = [];
    this.#runners.set(tenant, after);
    this.#broken.set(tenant, broken);
    for (const row of stored) {
      const key = groupKey(row);
      const former = before.get(key);
      before.delete(key);
      if (former?.stored.version === row.version && former.stored.yaml === row.yaml) {
        after.set(key, former);
        continue;
      }
      const group = this.#parse(row, broken);
      await former?.stop();
      if (group === undefined) continue;
      const runner = new GroupRunner(this.#context, row, group);
      if (former !== undefined) await runner.adopt(former);
      runner.start();
      after.set(key, runner);
    }
    for (const runner of before.values()) {
      await runner.stop();
      await runner.dissolve();
    }
  }

  #parse(row: StoredRuleGroup, broken: BrokenGroup[]): RuleGroup | undefined {
    try {
      return parseRuleGroup(row.yaml, this.#context.validateQuery);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const { tenant, namespace, name } = row;
      this.#context.log.error(
        { tenant, namespace, group: name, error: error.message },
        'a stored rule group is broken',
      );
      broken.push({ stored: row, reason: error.message });
      return undefined;
    }
  }
}

function groupKey({ namespace, name }: RuleGroupKey): string {
  return JSON.stringify([namespace, name]);
}
