/**
 * What delta points are added to: the last stored sample of their series. The store is the only place that keeps it, and
 * DeltaMemory what was read from there or written since. So nothing is counted twice, whoever dies: a request whose first
 * try landed finds its own times in the store and adds nothing, one whose first try did not land finds the total before.
 *
 *   a request comes -> a worker says whose totals it needs -> it comes again with them -> its blocks are stored -> the
 *   totals in memory move on
 *
 * Between the second and the last step nobody else has those series. Where an insert fails nobody knows what the store
 * has: its series are forgotten, and the store is asked.
 */
import { createHmac, randomBytes } from 'node:crypto';
import { metrics } from '@opentelemetry/api';
import { errorMessage, UnavailableError } from '#model/errors.ts';
import { type SeriesKey, selectLastSamples } from '#store/last-samples.ts';
import type { Store } from '#store/store.ts';
import { DeltaMemory } from './delta-memory.ts';
import type { DeltaNeeds, DeltaTotals } from './delta-totals.ts';
import type { RequestOutcome, RunRequest, TranscodeResult, TranscodeTask } from './run.ts';
import { StripeLock } from './stripe-lock.ts';

const lookupCounter = metrics.getMeter('sonde').createCounter('sonde.collector.delta.lookups', {
  description: 'Delta series whose total was read back from the store.',
});

export interface DeltaStateOptions {
  readonly store: Store;
  readonly seriesMax: number;
  readonly staleMs: number;
  /** Transcodes a task and stores its blocks under the token. */
  readonly insert: (task: DeltaTask, token: string) => Promise<TranscodeResult>;
}

/** A task but for what is the pipeline's own. */
type DeltaTask = Omit<TranscodeTask, 'seriesEpoch'>;

interface Waiting {
  readonly index: number;
  readonly request: RunRequest;
  readonly needs: DeltaNeeds;
}

/** A series of which the store must say how far it is, and where the answer goes. */
type Missing = SeriesKey & { readonly entries: number[] };

export class DeltaState {
  readonly #options: DeltaStateOptions;
  readonly #memory: DeltaMemory;
  readonly #lock = new StripeLock();
  /** Ids are hashes of labels alone: under a key of the tenant's own, none can be made to meet another's. */
  readonly #secret = randomBytes(32);

  constructor(options: DeltaStateOptions) {
    this.#options = options;
    this.#memory = new DeltaMemory(options.seriesMax);
  }

  /**
   * Stores those requests of a task that wait for totals, and returns the outcomes of all. Their blocks have the run's
   * token with `/delta/` and the tenant. Rejects as `insert` does, and with UnavailableError where the store does not say
   * what it has; the whole run must be repeated then.
   */
  async settle(
    task: DeltaTask,
    outcomes: readonly RequestOutcome[],
    token: string,
  ): Promise<readonly RequestOutcome[]> {
    const settled = [...outcomes];
    const tenants = new Map<string, Waiting[]>();
    for (const [index, { deltaWait }] of outcomes.entries()) {
      if (deltaWait === undefined) continue;
      const request = { ...task.requests[index], bytes: deltaWait.bytes };
      const waiting = tenants.get(request.tenant) ?? [];
      waiting.push({ index, request, needs: deltaWait.needs });
      tenants.set(request.tenant, waiting);
    }
    for (const [tenant, waiting] of tenants) {
      const result = await this.#insert(tenant, waiting, task, `${token}/delta/${tenant}`);
      for (const [i, { index }] of waiting.entries()) settled[index] = result.outcomes[i];
    }
    return settled;
  }

  async #insert(
    tenant: string,
    waiting: readonly Waiting[],
    task: DeltaTask,
    token: string,
  ): Promise<TranscodeResult> {
    const needs = waiting.map((one) => one.needs);
    const [saltLow, saltHigh] = this.#saltOf(tenant);
    const release = await this.#lock.acquire(lowWords(needs, saltLow));
    try {
      const totals = await this.#recall(tenant, needs, saltLow, saltHigh);
      try {
        const requests = waiting.map(({ request }) => request);
        const result = await this.#options.insert({ ...task, requests, deltaTotals: totals }, token);
        const stored = result.deltaTotals!;
        for (let i = 0; i < stored.totals.length; i++) {
          if (stored.lastMs[i] < 0) continue;
          const [low, high] = [stored.ids[2 * i] ^ saltLow, stored.ids[2 * i + 1] ^ saltHigh];
          this.#memory.put(low, high, stored.totals[i], stored.lastMs[i]);
        }
        return result;
      } catch (error) {
        for (let i = 0; i < totals.totals.length; i++) {
          this.#memory.forget(totals.ids[2 * i] ^ saltLow, totals.ids[2 * i + 1] ^ saltHigh);
        }
        throw error;
      }
    } finally {
      release();
    }
  }

  /** Returns the totals that are needed, from memory where it can be trusted and from the store otherwise. */
  async #recall(
    tenant: string,
    needs: readonly DeltaNeeds[],
    saltLow: number,
    saltHigh: number,
  ): Promise<DeltaTotals> {
    const memory = this.#memory;
    const totals = emptyTotals(needs);
    const missing = new Map<string, Missing>();
    let entry = 0;
    for (const { ids, metricIndexes, startMs, metrics: names } of needs) {
      for (let i = 0; i < startMs.length; i++, entry++) {
        const [low, high] = [ids[2 * i], ids[2 * i + 1]];
        if (this.#isCurrent(low ^ saltLow, high ^ saltHigh, startMs[i])) {
          totals.totals[entry] = memory.total;
          totals.lastMs[entry] = memory.lastMs;
          continue;
        }
        const id = idText(low, high);
        const known = missing.get(id);
        if (known === undefined) missing.set(id, { metric: names[metricIndexes[i]], id, entries: [entry] });
        else known.entries.push(entry);
      }
    }
    if (missing.size > 0) {
      const oldestMs = needs.reduce(
        (oldest, need) => Math.min(oldest, need.oldestMs),
        Number.POSITIVE_INFINITY,
      );
      await this.#lookUp(tenant, missing, oldestMs - this.#options.staleMs, totals);
    }
    return totals;
  }

  /**
   * Leaves a series' total in the memory's fields. Over a store that others share, one of them may have gone on with the
   * series, unless the point that comes follows on the last one that is known here.
   */
  #isCurrent(keyLow: number, keyHigh: number, startMs: number): boolean {
    if (!this.#memory.find(keyLow, keyHigh)) return false;
    return this.#options.store.kind === 'embedded' || (startMs > 0 && startMs <= this.#memory.lastMs);
  }

  /** Asks the store, and fills in what it has. */
  async #lookUp(
    tenant: string,
    missing: ReadonlyMap<string, Missing>,
    afterMs: number,
    totals: DeltaTotals,
  ): Promise<void> {
    lookupCounter.add(missing.size);
    const keys = [...missing.values()].sort(
      (a, b) => Number(a.metric > b.metric) - Number(a.metric < b.metric),
    );
    const found = await selectLastSamples(this.#options.store, tenant, keys, afterMs).catch(
      (error: unknown) => {
        throw new UnavailableError(`the store did not say how far delta series are: ${errorMessage(error)}`, {
          cause: error,
        });
      },
    );
    for (const { id, lastMs, value } of found) {
      for (const entry of missing.get(id)!.entries) {
        totals.totals[entry] = value;
        totals.lastMs[entry] = lastMs;
      }
    }
  }

  #saltOf(tenant: string): [low: number, high: number] {
    const digest = createHmac('sha256', this.#secret).update(tenant).digest();
    return [digest.readInt32LE(0), digest.readInt32LE(4)];
  }
}

/** Totals for all series of the needs, in their order, as if all of them were new. */
function emptyTotals(needs: readonly DeltaNeeds[]): DeltaTotals {
  const count = needs.reduce((sum, { startMs }) => sum + startMs.length, 0);
  const ids = new Int32Array(2 * count);
  const newestMs = new Float64Array(count);
  let entry = 0;
  for (const need of needs) {
    ids.set(need.ids, 2 * entry);
    newestMs.set(need.newestMs, entry);
    entry += need.startMs.length;
  }
  return { ids, newestMs, totals: new Float64Array(count), lastMs: new Float64Array(count).fill(-1) };
}

function* lowWords(needs: readonly DeltaNeeds[], saltLow: number): Generator<number> {
  for (const { ids } of needs) for (let i = 0; i < ids.length; i += 2) yield ids[i] ^ saltLow;
}

function idText(low: number, high: number): string {
  return String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
}
