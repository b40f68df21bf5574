/**
 * Runs in, durable rows out: a run goes to a worker that transcodes it into Native blocks, and the blocks go to the
 * store in order, each under its own token. What waits is bounded by bytes; over the bound callers hear "come again".
 *
 *   insertRun([{ signal: 'logs', tenant, bytes }], 'direct/abc')  ->  blocks inserted as direct/abc/logs  ->  outcomes
 */
import { metrics } from '@opentelemetry/api';
import { Piscina } from 'piscina';
import { errorMessage, UnavailableError } from '#model/errors.ts';
import { selectLandedBatches } from '#store/landed-batches.ts';
import { type NativeBlock, type Store, StoreError } from '#store/store.ts';
import { deltaSeriesMaxDefault } from './delta-memory.ts';
import { DeltaState } from './delta-state.ts';
import { isNaming, NameAnnouncements } from './name-announcements.ts';
import type { RequestOutcome, RunInserter, RunRequest, TranscodeResult, TranscodeTask } from './run.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcode/transcoder-options.ts';

export interface PipelineOptions {
  readonly store: Store;
  /** Threads that transcode. One feeds about four cores of ClickHouse. */
  readonly workers: number;
  /** Bytes of requests that were taken and are not stored yet. */
  readonly inflightBytesMax: number;
  /** 0 keeps for ever. */
  readonly retentionMs: number;
  readonly now: () => number;
  /** What the threads are started with; by default, what Prometheus and OpenTelemetry have as defaults. */
  readonly transcoder?: TranscoderOptions;
  /** Delta series whose totals are held in memory. */
  readonly deltaSeriesMax?: number;
}

export interface PipelineStatus {
  readonly rowsStored: number;
  readonly recordsAccepted: number;
  readonly recordsRejected: number;
  readonly inflightBytes: number;
}

export interface Pipeline {
  readonly insertRun: RunInserter;
  status(): PipelineStatus;
  /** Waits for the runs under way. New ones are refused from the call on. */
  close(): Promise<void>;
}

const meter = metrics.getMeter('sonde');
const rowCounter = meter.createCounter('sonde.store.rows', { description: 'Rows inserted, by table.' });
const acceptedCounter = meter.createCounter('sonde.collector.accepted', {
  description: 'Records that were stored, by signal.',
});
const rejectedCounter = meter.createCounter('sonde.collector.rejected', {
  description: 'Records that were refused for good, by signal and reason.',
});
const undecodableCounter = meter.createCounter('sonde.collector.undecodable', {
  description: 'Requests whose bytes could not be decoded, by signal.',
});
const repeatCounter = meter.createCounter('sonde.collector.repeats', {
  description: 'Requests that were left out because their batch had landed before, by signal.',
});
const insertSeconds = meter.createHistogram('sonde.store.insert.duration', {
  description: 'Time of one block insert, by table and result.',
  unit: 's',
  advice: { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] },
});

export function createPipeline(options: PipelineOptions): Pipeline {
  const pool = new Piscina<TranscodeTask, TranscodeResult>({
    filename: new URL('./transcode/worker.ts', import.meta.url).href,
    minThreads: options.workers,
    maxThreads: options.workers,
    // A worker that ends would forget which series it has announced and announce them all again.
    idleTimeout: Number.POSITIVE_INFINITY,
    workerData: options.transcoder,
  });
  const running = new Set<Promise<unknown>>();
  const names = new NameAnnouncements();
  let isClosing = false;
  let inflightBytes = 0;
  const totals = { rowsStored: 0, recordsAccepted: 0, recordsRejected: 0 };
  meter
    .createObservableGauge('sonde.collector.inflight', {
      description: 'Bytes of requests that were taken and are not stored yet.',
      unit: 'By',
    })
    .addCallback((result) => result.observe(inflightBytes));

  async function transcodeAndInsert(
    all: readonly RunRequest[],
    token: string,
  ): Promise<readonly RequestOutcome[]> {
    const isRepeat = await findRepeats(options.store, all);
    const requests = all.filter((_, index) => !isRepeat[index]);
    const outcomes = requests.length === 0 ? [] : await insertRequests(requests, token);
    const rest = outcomes.values();
    return all.map((_, index) => (isRepeat[index] ? repeatOutcome : rest.next().value!));
  }

  const deltas = new DeltaState({
    store: options.store,
    seriesMax: options.deltaSeriesMax ?? deltaSeriesMaxDefault,
    staleMs: (options.transcoder ?? transcoderOptionsDefault).deltaStaleMs,
  });

  async function insertRequests(
    requests: readonly RunRequest[],
    token: string,
  ): Promise<readonly RequestOutcome[]> {
    const nowUnixMs = options.now();
    const owned = requests.map((request) => ({ ...request, bytes: ownBytes(request.bytes) }));
    const task = {
      requests: owned,
      nowUnixMs,
      oldestUnixMs: options.retentionMs === 0 ? Number.NEGATIVE_INFINITY : nowUnixMs - options.retentionMs,
    };
    const result = await insertTask(task, token);
    const outcomes = await deltas.settle(owned, result.outcomes, async (waiting, tenant) => {
      const settled = await insertTask({ ...task, requests: waiting }, `${token}/delta/${tenant}`);
      return settled.outcomes;
    });
    for (const [index, outcome] of outcomes.entries()) count(requests[index]!, outcome, totals);
    return outcomes;
  }

  async function insertTask(
    shape: Omit<TranscodeTask, 'seriesEpoch'>,
    token: string,
  ): Promise<TranscodeResult> {
    const task: TranscodeTask = { ...shape, seriesEpoch: names.epoch };
    const result = await transcode(task);
    await names.store(result, token, task.seriesEpoch, insertBlock);
    for (const block of result.blocks) {
      if (!isNaming(block)) await insertBlock(block, `${token}/${block.table}`);
    }
    return result;
  }

  async function transcode(task: TranscodeTask): Promise<TranscodeResult> {
    try {
      return await pool.run(task, {
        transferList: task.requests.map(({ bytes }) => bytes.buffer as ArrayBuffer),
      });
    } catch (error) {
      names.forget();
      if (!isThreadLoss(error)) throw error;
      throw new UnavailableError('a transcoding thread ended before its work was done: come again', {
        cause: error,
      });
    }
  }

  async function insertBlock(block: NativeBlock, token: string): Promise<void> {
    await insertTimed(options.store, block, token);
    totals.rowsStored += block.rowCount;
  }

  const insertRun: RunInserter = async (requests, token) => {
    if (isClosing) throw new UnavailableError('the collector is shutting down: come again');
    const runBytes = requests.reduce((total, { bytes }) => total + bytes.byteLength, 0);
    if (inflightBytes > 0 && inflightBytes + runBytes > options.inflightBytesMax) {
      throw new UnavailableError('the collector has too many bytes waiting for the store: come again');
    }
    inflightBytes += runBytes;
    const run = transcodeAndInsert(requests, token);
    running.add(run);
    try {
      return await run;
    } finally {
      running.delete(run);
      inflightBytes -= runBytes;
    }
  };

  return {
    insertRun,
    status: () => ({ ...totals, inflightBytes }),
    async close() {
      isClosing = true;
      await Promise.allSettled(running);
      await pool.destroy();
    },
  };
}

/** The thread ended (out of memory, killed): that says nothing about the request. */
function isThreadLoss(error: unknown): boolean {
  return (
    error instanceof Error &&
    ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY' ||
      error.message.startsWith('worker exited with code'))
  );
}

const repeatOutcome: RequestOutcome = { accepted: 0, rejections: [], decodeError: undefined, isRepeat: true };

/**
 * Says of each request whether its batch has landed before, or comes twice in this run. A run that is repeated after a
 * crash asks again and gets the same answer, as its own batches are noted after all of its rows.
 */
async function findRepeats(store: Store, requests: readonly RunRequest[]): Promise<boolean[]> {
  const batches = requests.flatMap(({ tenant, batch }) => (batch === undefined ? [] : [{ tenant, batch }]));
  if (batches.length === 0) return requests.map(() => false);
  const seen = await selectLandedBatches(store, batches).catch((error: unknown) => {
    throw new UnavailableError(`the store did not say which batches it has: ${errorMessage(error)}`, {
      cause: error,
    });
  });
  return requests.map(({ tenant, batch, signal }) => {
    if (batch === undefined) return false;
    const name = `${tenant}/${batch}`;
    if (seen.has(name)) {
      repeatCounter.add(1, { signal });
      return true;
    }
    seen.add(name);
    return false;
  });
}

/** A buffer that may be handed to a worker: one that shares its memory with others is copied. */
function ownBytes(bytes: Uint8Array): Uint8Array {
  const isWhole = bytes.byteOffset === 0 && bytes.byteLength === bytes.buffer.byteLength;
  return isWhole && bytes.buffer instanceof ArrayBuffer && !bytes.buffer.resizable
    ? new Uint8Array(bytes.buffer)
    : new Uint8Array(bytes);
}

async function insertTimed(store: Store, block: NativeBlock, token: string): Promise<void> {
  const started = performance.now();
  let result = 'ok';
  try {
    await store.insert(block, token);
    rowCounter.add(block.rowCount, { table: block.table });
  } catch (error) {
    result = 'error';
    if (error instanceof StoreError) {
      // Nothing was acknowledged, so whoever sent this still has it: even an error that looks final (a full disk, a
      // missing table) is a reason to come again, never a reason to drop.
      throw new UnavailableError(`the store did not take ${block.table}: ${errorMessage(error)}`, {
        cause: error,
        retryAfterMs: 2000,
      });
    }
    throw error;
  } finally {
    insertSeconds.record((performance.now() - started) / 1000, { table: block.table, result });
  }
}

function count(
  request: RunRequest,
  outcome: RequestOutcome,
  totals: { recordsAccepted: number; recordsRejected: number },
): void {
  const { signal } = request;
  acceptedCounter.add(outcome.accepted, { signal });
  totals.recordsAccepted += outcome.accepted;
  if (outcome.decodeError !== undefined) undecodableCounter.add(1, { signal });
  for (const { reason, count: rejected } of outcome.rejections) {
    rejectedCounter.add(rejected, { signal, reason });
    totals.recordsRejected += rejected;
  }
}
