/**
 * What delta points are added to: the last stored sample or native histogram of their series. The store is the only place
 * that keeps it, and memory what was read from there or written since. So nothing is counted twice, whoever dies: a request
 * whose first try landed finds its own times in the store and adds nothing, one whose first try did not land finds the
 * total before.
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
import { selectLastHistograms } from '#store/last-histograms.ts';
import { selectLastSamples } from '#store/last-samples.ts';
import type { SeriesKey } from '#store/series-key.ts';
import type { Store } from '#store/store.ts';
import { DeltaMemory } from './delta-memory.ts';
import type { DeltaNeeds, DeltaTotals } from './delta-totals.ts';
import { CellBudget, CellPool, GatheredTotals, gatheredCellsMaxDefault } from './gathered-totals.ts';
import { HistogramMemory } from './histogram-memory.ts';
import type { RequestOutcome, RunRequest } from './run.ts';
import { SeriesLock } from './series-lock.ts';
import { histogramEnd } from './transcode/histogram-cells.ts';
import { misfitOutcome } from './transcode/request-tally.ts';

const lookupCounter = metrics.getMeter('sonde').createCounter('sonde.collector.delta.lookups', {
  description: 'Delta series whose total was read back from the store.',
});

export interface DeltaStateOptions {
  readonly store: Store;
  readonly seriesMax: number;
  readonly staleMs: number;
  /** Numbers that the histograms of one request may have, and half of what all under way may have. */
  readonly gatheredCellsMax?: number | undefined;
}

/**
 * Transcodes requests of one tenant with their totals, in order, and resolves when their rows are durable. `name` tells
 * them apart from others that were settled with them.
 */
export type DeltaInserter = (
  requests: readonly RunRequest[],
  name: string,
) => Promise<readonly RequestOutcome[]>;

interface Waiting {
  readonly index: number;
  readonly request: RunRequest;
  readonly needs: DeltaNeeds;
}

/** What requests of one tenant that are settled together share. */
interface Settling {
  readonly tenant: string;
  readonly salt: Salt;
  readonly insert: DeltaInserter;
}

/** A series of which the store must say how far it is, and where the answer goes. */
type Missing = SeriesKey & { readonly places: { readonly totals: GatheredTotals; readonly index: number }[] };

const noCells = new Float64Array(0);

/** What a tenant's ids are mixed with. */
interface Salt {
  readonly low: number;
  readonly high: number;
}

export class DeltaState {
  readonly #options: DeltaStateOptions;
  readonly #gatheredCellsMax: number;
  /** Twice the bound, so that two requests of the largest size can be under way. */
  readonly #pool: CellPool;
  readonly #memory: DeltaMemory;
  readonly #histograms = new HistogramMemory();
  readonly #lock = new SeriesLock();
  /** Ids are hashes of labels alone: under a key of the tenant's own, none can be made to meet another's. */
  readonly #secret = randomBytes(32);

  constructor(options: DeltaStateOptions) {
    this.#options = options;
    this.#gatheredCellsMax = options.gatheredCellsMax ?? gatheredCellsMaxDefault;
    this.#pool = new CellPool(2 * this.#gatheredCellsMax);
    this.#memory = new DeltaMemory(options.seriesMax);
  }

  /**
   * Inserts those of some requests again that wait for totals, and returns the outcomes of all. Rejects as `insert` does,
   * and with UnavailableError where the store does not say what it has; all of them must be repeated then.
   */
  async settle(
    requests: readonly RunRequest[],
    outcomes: readonly RequestOutcome[],
    insert: DeltaInserter,
  ): Promise<readonly RequestOutcome[]> {
    const settled = [...outcomes];
    const tenants = new Map<string, Waiting[]>();
    for (const [index, { deltaWait }] of outcomes.entries()) {
      if (deltaWait === undefined) continue;
      const request = { ...requests[index], bytes: deltaWait.bytes };
      const waiting = tenants.get(request.tenant) ?? [];
      waiting.push({ index, request, needs: deltaWait.needs });
      tenants.set(request.tenant, waiting);
    }
    for (const [tenant, waiting] of tenants) {
      const again = await this.#insert(tenant, waiting, insert);
      for (const [i, { index }] of waiting.entries()) settled[index] = again[i];
    }
    return settled;
  }

  async #insert(
    tenant: string,
    waiting: readonly Waiting[],
    insert: DeltaInserter,
  ): Promise<readonly RequestOutcome[]> {
    const salt = this.#saltOf(tenant);
    const release = await this.#lock.acquire(
      lockKeys(
        waiting.map(({ needs }) => needs),
        salt,
      ),
    );
    try {
      return await this.#insertHeld(waiting, { tenant, salt, insert }, tenant);
    } finally {
      release();
    }
  }

  /**
   * Series must be held. Requests whose histograms have too many numbers together are inserted in two parts: what one
   * request may have is not refused because others came with it. A part is named by its requests, so that a repeat whose
   * parts are others never takes one for another that has landed.
   */
  async #insertHeld(
    waiting: readonly Waiting[],
    settling: Settling,
    name: string,
  ): Promise<readonly RequestOutcome[]> {
    const budget = new CellBudget(this.#gatheredCellsMax, this.#pool);
    try {
      const needs = waiting.map((one) => one.needs);
      const gathered = await this.#recall(needs, settling, budget);
      if (!budget.isSpent || waiting.length === 1) {
        const recalled = gathered.map((totals) => totals.finish());
        return await this.#insertWith(recalled, waiting, settling, name);
      }
    } finally {
      budget.release();
    }
    const middle = waiting.length >> 1;
    const outcomes: RequestOutcome[] = [];
    for (const part of [waiting.slice(0, middle), waiting.slice(middle)]) {
      if (outcomes.some(({ misfit }) => misfit !== undefined)) {
        // What did not fit comes again later: points that may be of its series must not be stored before.
        const fact = 'a request before it did not fit';
        outcomes.push(...part.map(({ request }) => misfitOutcome(fact, request.bytes)));
        continue;
      }
      const partName = `${settling.tenant}/${part[0].index}-${part.at(-1)!.index}`;
      outcomes.push(...(await this.#insertHeld(part, settling, partName)));
    }
    return outcomes;
  }

  async #insertWith(
    recalled: readonly DeltaTotals[],
    waiting: readonly Waiting[],
    { salt, insert }: Settling,
    name: string,
  ): Promise<readonly RequestOutcome[]> {
    const requests = waiting.map(({ request }, i) => ({ ...request, deltaTotals: recalled[i] }));
    try {
      const outcomes = await insert(requests, name);
      // In order: of a series that several requests have, the last one knows.
      for (const { deltaTotals } of outcomes)
        if (deltaTotals !== undefined) this.#remember(deltaTotals, salt);
      return outcomes;
    } catch (error) {
      for (const { ids } of recalled) this.#forget(ids, salt);
      throw error;
    }
  }

  #remember({ ids, isHistogram, totals, lastMs, startMs, histograms }: DeltaTotals, salt: Salt): void {
    for (let i = 0; i < totals.length; i++) {
      if (lastMs[i] < 0 || lastMs[i] === Number.POSITIVE_INFINITY) continue;
      const [low, high] = [ids[2 * i] ^ salt.low, ids[2 * i + 1] ^ salt.high];
      this.#memory.put(low, high, totals[i], lastMs[i], startMs[i]);
      if (isHistogram[i] === 0) continue;
      const start = totals[i] - 1;
      const cells = start < 0 ? noCells : histograms.subarray(start, histogramEnd(histograms, start));
      this.#histograms.put(low, high, cells);
    }
  }

  #forget(ids: Int32Array, salt: Salt): void {
    for (let i = 0; i < ids.length; i += 2) {
      this.#memory.forget(ids[i] ^ salt.low, ids[i + 1] ^ salt.high);
      this.#histograms.forget(ids[i] ^ salt.low, ids[i + 1] ^ salt.high);
    }
  }

  /** Gathers the totals that each request needs, from memory where it can be trusted and from the store otherwise. */
  async #recall(
    needs: readonly DeltaNeeds[],
    { tenant, salt }: Settling,
    budget: CellBudget,
  ): Promise<readonly GatheredTotals[]> {
    const gathered = needs.map((need) => new GatheredTotals(need, budget));
    const missing = { numbers: new Map<string, Missing>(), histograms: new Map<string, Missing>() };
    for (const [n, { ids, isHistogram, metricIndexes, startMs, metrics: names }] of needs.entries()) {
      for (let i = 0; i < startMs.length; i++) {
        const [low, high] = [ids[2 * i], ids[2 * i + 1]];
        const totals = gathered[n];
        if (this.#recallOne(totals, i, low ^ salt.low, high ^ salt.high, startMs[i], isHistogram[i] === 1))
          continue;
        const [those, id] =
          isHistogram[i] === 1
            ? [missing.histograms, idText(~low, ~high)]
            : [missing.numbers, idText(low, high)];
        const known = those.get(id);
        if (known === undefined)
          those.set(id, { metric: names[metricIndexes[i]], id, places: [{ totals, index: i }] });
        else known.places.push({ totals, index: i });
      }
    }
    const oldestMs = needs.reduce(
      (oldest, need) => Math.min(oldest, need.oldestMs),
      Number.POSITIVE_INFINITY,
    );
    const afterMs = oldestMs - this.#options.staleMs;
    const missingCount = missing.numbers.size + missing.histograms.size;
    if (missingCount > 0) lookupCounter.add(missingCount);
    try {
      await this.#lookUpNumbers(tenant, missing.numbers, afterMs);
      await this.#lookUpHistograms(tenant, missing.histograms, afterMs, budget);
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      throw new UnavailableError(`the store did not say how far delta series are: ${errorMessage(error)}`, {
        cause: error,
      });
    }
    return gathered;
  }

  /** Fills in a total from memory; returns false where the store must be asked. */
  #recallOne(
    to: GatheredTotals,
    index: number,
    keyLow: number,
    keyHigh: number,
    startMs: number,
    isHistogram: boolean,
  ): boolean {
    const memory = this.#memory;
    if (!this.#isCurrent(keyLow, keyHigh, startMs)) return false;
    if (!isHistogram) {
      to.setNumber(index, memory.total, memory.lastMs, memory.startMs);
      return true;
    }
    const cells = this.#histograms.find(keyLow, keyHigh);
    if (cells === undefined) return false;
    to.setHistogram(index, cells, memory.lastMs, memory.startMs);
    return true;
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
  async #lookUpNumbers(
    tenant: string,
    missing: ReadonlyMap<string, Missing>,
    afterMs: number,
  ): Promise<void> {
    if (missing.size === 0) return;
    const found = await selectLastSamples(this.#options.store, tenant, byMetric(missing), afterMs);
    for (const { id, lastMs, startMs, value } of found) {
      for (const { totals, index } of missing.get(id)!.places)
        totals.setNumber(index, value, lastMs, startMs);
    }
  }

  /** The same, until the bound is reached: nothing is known then of those that are left. */
  async #lookUpHistograms(
    tenant: string,
    missing: Map<string, Missing>,
    afterMs: number,
    budget: CellBudget,
  ): Promise<void> {
    if (missing.size === 0) return;
    const left = new Set(missing.keys());
    const histograms = selectLastHistograms(this.#options.store, tenant, byMetric(missing), afterMs);
    for await (const { id, lastMs, startMs, cells } of histograms) {
      for (const { totals, index } of missing.get(id)!.places)
        totals.setHistogram(index, cells, lastMs, startMs);
      left.delete(id);
      if (budget.isSpent) break;
    }
    if (!budget.isSpent) return;
    for (const id of left) for (const { totals, index } of missing.get(id)!.places) totals.withhold(index);
  }

  #saltOf(tenant: string): Salt {
    const digest = createHmac('sha256', this.#secret).update(tenant).digest();
    return { low: digest.readInt32LE(0), high: digest.readInt32LE(4) };
  }
}

/** In the order in which the store is asked. */
function byMetric(missing: ReadonlyMap<string, Missing>): Missing[] {
  return [...missing.values()].sort((a, b) => Number(a.metric > b.metric) - Number(a.metric < b.metric));
}

/**
 * 53 bits of each salted id, which a number holds exactly. Two series that share them wait for each other, which is all:
 * the order of those who wait does not depend on what a key stands for.
 */
function lockKeys(needs: readonly DeltaNeeds[], { low, high }: Salt): Float64Array {
  const keys = new Float64Array(needs.reduce((count, { ids }) => count + ids.length / 2, 0));
  let count = 0;
  for (const { ids } of needs) {
    for (let i = 0; i < ids.length; i += 2)
      keys[count++] = ((ids[i + 1] ^ high) & 0x1f_ffff) * 2 ** 32 + ((ids[i] ^ low) >>> 0);
  }
  return keys;
}

function idText(low: number, high: number): string {
  return String((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
}
