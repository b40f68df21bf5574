/** Scaling signals of all tenants: define them, and they are evaluated on schedule and answered from the last value. */
import { errorMessage, RefusedError } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import { type Clock, systemClock } from '../clock.ts';
import type { InstantQuery } from '../instant.ts';
import { EvaluationSlots } from '../rules/evaluation-slots.ts';
import type { RulesLog } from '../rules/rules-log.ts';
import {
  insertSignal,
  type StoredSignal,
  selectSignals,
  selectSignalTenants,
  selectSignalVersion,
  signalsPerTenantMax,
} from '../sql/scaling.ts';
import { DecisionRecorder } from './decision-recorder.ts';
import { parseSignalDefinition, type SignalDefinition } from './signal-definition.ts';
import { type SignalContext, SignalRunner } from './signal-runner.ts';

export interface ScalingOptions {
  readonly store: Store;
  readonly instantQuery: InstantQuery;
  /** Throws ParseError where PromQL refuses the text. */
  readonly validateQuery: (query: string) => void;
  readonly clock?: Clock;
  readonly log: RulesLog;
}

export interface ScalingStatus {
  readonly signalCount: number;
  readonly missingCount: number;
  readonly droppedDecisionCount: number;
}

/** A definition and the number of its version. */
export interface VersionedSignal {
  /** Whether there was no signal of this name before. */
  readonly isNew: boolean;
  readonly version: number;
  readonly definition: SignalDefinition;
}

const evaluationsAtOnceMax = 4;
/** How soon a change by another process is seen. */
const reloadIntervalMs = 30_000;

/** Starts evaluating what is stored. Rejects with StoreError where the store cannot be read. */
export async function startScaling(options: ScalingOptions): Promise<Scaling> {
  const scaling = new Scaling(options);
  await scaling.start();
  return scaling;
}

export class Scaling {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: RulesLog;
  readonly #validateQuery: (query: string) => void;
  readonly #recorder: DecisionRecorder;
  readonly #context: SignalContext;
  /** By tenant, then by name. */
  readonly #runners = new Map<string, Map<string, SignalRunner>>();
  #revisions = new Map<string, string>();
  readonly #stopping = new AbortController();
  /** Changes and reloads happen one after the other, so that each sees the one before. */
  #changing: Promise<unknown> = Promise.resolve();
  #loop: Promise<void> | undefined;

  constructor(options: ScalingOptions) {
    const { store, instantQuery, log, validateQuery } = options;
    const clock = options.clock ?? systemClock;
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#validateQuery = validateQuery;
    this.#recorder = new DecisionRecorder({ store, clock, log });
    const slots = new EvaluationSlots(evaluationsAtOnceMax);
    this.#context = { instantQuery, clock, log, slots, recorder: this.#recorder };
  }

  /** Is called by startScaling. */
  async start(): Promise<void> {
    await this.#poll();
    this.#recorder.start();
    this.#loop = this.#run();
  }

  /** Stops evaluations and writes the decisions that are left. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
    await this.#changing;
    await Promise.all(this.#all().map((runner) => runner.stop()));
    await this.#recorder.stop();
  }

  /**
   * Stores a definition as the next version and evaluates it at once. `versionExpected` is the version that the caller
   * has read (0 for none yet): where it is another one by now, this is refused with 409.
   */
  put(tenant: string, name: string, input: unknown, versionExpected?: number): Promise<VersionedSignal> {
    return this.#change(async () => {
      const definition = parseSignalDefinition(name, input, this.#validateQuery);
      const known = await this.#checkVersion(tenant, name, versionExpected);
      if (known === 0 && (this.#runners.get(tenant)?.size ?? 0) >= signalsPerTenantMax) {
        throw new RefusedError(`a tenant may have ${signalsPerTenantMax} scaling signals`);
      }
      const version = (await selectSignalVersion(this.#store, tenant, name)) + 1;
      await insertSignal(this.#store, {
        tenant,
        name,
        version,
        definition: JSON.stringify(definition),
        isDeleted: false,
        updatedMs: this.#clock.nowMs(),
      });
      await this.#reload(tenant);
      return { isNew: known === 0, version, definition };
    });
  }

  /** Returns false where there is no such signal. */
  delete(tenant: string, name: string, versionExpected?: number): Promise<boolean> {
    return this.#change(async () => {
      const known = await this.#checkVersion(tenant, name, versionExpected);
      if (known === 0) return false;
      const updatedMs = this.#clock.nowMs();
      await insertSignal(this.#store, {
        tenant,
        name,
        version: known + 1,
        definition: '',
        isDeleted: true,
        updatedMs,
      });
      await this.#reload(tenant);
      return true;
    });
  }

  /** A tenant's signals, sorted by name. */
  list(tenant: string): SignalRunner[] {
    return [...(this.#runners.get(tenant)?.values() ?? [])];
  }

  find(tenant: string, name: string): SignalRunner | undefined {
    return this.#runners.get(tenant)?.get(name);
  }

  status(): ScalingStatus {
    const runners = this.#all();
    return {
      signalCount: runners.length,
      missingCount: runners.filter(({ evaluation }) => evaluation?.measured === undefined).length,
      droppedDecisionCount: this.#recorder.droppedCount,
    };
  }

  #all(): SignalRunner[] {
    return [...this.#runners.values()].flatMap((runners) => [...runners.values()]);
  }

  /** Returns the version that is in force, 0 for none. */
  async #checkVersion(tenant: string, name: string, expected: number | undefined): Promise<number> {
    const stored = await selectSignals(this.#store, tenant);
    const version = stored.find((signal) => signal.name === name)?.version ?? 0;
    if (expected !== undefined && expected !== version) {
      throw new RefusedError(
        `signal "${name}" has version ${version}, not ${expected}: read it again first`,
        409,
      );
    }
    return version;
  }

  #change<Result>(work: () => Promise<Result>): Promise<Result> {
    const change = this.#changing.then(work);
    this.#changing = change.catch(() => {});
    return change;
  }

  async #run(): Promise<void> {
    const abort = this.#stopping.signal;
    while (!abort.aborted) {
      try {
        await this.#clock.sleep(reloadIntervalMs, abort);
        await this.#poll();
      } catch (error) {
        if (abort.aborted) return;
        // The signals that run go on; the next poll tries again.
        this.#log.warn({ error: errorMessage(error) }, 'scaling signals could not be reloaded');
      }
    }
  }

  async #poll(): Promise<void> {
    const revisions = await selectSignalTenants(this.#store);
    for (const [tenant, revision] of revisions) {
      if (this.#revisions.get(tenant) !== revision) await this.#change(() => this.#reload(tenant));
    }
    this.#revisions = revisions;
  }

  async #reload(tenant: string): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    const stored = await selectSignals(this.#store, tenant);
    const before = this.#runners.get(tenant) ?? new Map<string, SignalRunner>();
    const after = new Map<string, SignalRunner>();
    for (const row of stored) {
      const former = before.get(row.name);
      if (former?.stored.version === row.version && former.stored.definition === row.definition) {
        after.set(row.name, former);
        before.delete(row.name);
        continue;
      }
      const definition = this.#parse(row);
      if (definition === undefined) continue;
      const runner = new SignalRunner(this.#context, row, definition);
      if (former !== undefined) runner.adopt(former);
      after.set(row.name, runner);
    }
    this.#runners.set(tenant, after);
    await Promise.all([...before.values()].map((runner) => runner.stop()));
    for (const runner of after.values()) runner.start();
  }

  #parse(row: StoredSignal): SignalDefinition | undefined {
    try {
      return parseSignalDefinition(row.name, JSON.parse(row.definition), this.#validateQuery);
    } catch (error) {
      if (!(error instanceof RefusedError || error instanceof SyntaxError)) throw error;
      this.#log.error(
        { tenant: row.tenant, signal: row.name, error: error.message },
        'a stored signal is broken',
      );
      return undefined;
    }
  }
}
