/**
 * Requests in, durable rows out. Threads transcode, blocks go to the store in order, and what waits is bounded by
 * bytes: over the bound callers hear "come again".
 *
 *   insertRequest(pushed)            gathered with others into one insert          group-commit.ts
 *   insertRun(messages, token)       a run of its own, under a token of its own    Kafka
 */
import { metrics } from '@opentelemetry/api';
import { UnavailableError } from '#model/errors.ts';
import type { Store } from '#store/store.ts';
import type { Signal } from '#wire/envelope.ts';
import { Backlog } from './backlog.ts';
import { BlockInserter } from './block-inserter.ts';
import { deltaSeriesMaxDefault } from './delta-memory.ts';
import { DeltaState } from './delta-state.ts';
import { GroupCommit, type GroupLimits } from './group-commit.ts';
import {
  type Family,
  families,
  familyOf,
  type RequestInserter,
  type RequestOutcome,
  type RunInserter,
  type RunRequest,
} from './run.ts';
import { RunTranscoder } from './run-transcoder.ts';
import { inlineTranscoders } from './transcode/inlining.ts';
import type { TranscodeContext } from './transcode/transcoder.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcode/transcoder-options.ts';
import { WorkerLane } from './worker-lane.ts';

export interface PipelineOptions {
  readonly store: Store;
  /** Threads that transcode. One feeds about four cores of ClickHouse. */
  readonly workers: number;
  /** Bytes of requests that were taken and are not stored yet. */
  readonly inflightBytesMax: number;
  /** When pushed requests that were gathered are inserted. */
  readonly group: Omit<GroupLimits, 'bytesMax'>;
  /**
   * The tables are spread over the shards of a cluster. A note and its rows may then be on different shards, of which one
   * can fail: notes would hide what is missing, so each pushed request keeps a token of its own instead.
   */
  readonly hasShards?: boolean;
  /** 0 keeps for ever. */
  readonly retentionMs: number;
  readonly now: () => number;
  /** How OTLP metrics become Prometheus's. */
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
  readonly insertRequest: RequestInserter;
  /** See EnvelopeSink. */
  readonly whenRoom: (signal: Signal, abort: AbortSignal) => Promise<void>;
  status(): PipelineStatus;
  /** Waits for what is under way. New requests are refused from the call on. */
  close(): Promise<void>;
}

const meter = metrics.getMeter('sonde');
const acceptedCounter = meter.createCounter('sonde.collector.accepted', {
  description: 'Records that were stored, by signal.',
});
const rejectedCounter = meter.createCounter('sonde.collector.rejected', {
  description: 'Records that were refused for good, by signal and reason.',
});
const undecodableCounter = meter.createCounter('sonde.collector.undecodable', {
  description: 'Requests whose bytes could not be decoded, by signal.',
});
const repeatedCounter = meter.createCounter('sonde.collector.repeated', {
  description: 'Records that came again and were stored before, by signal.',
});

/** A group's requests stay in memory until its blocks are made; a family has one that gathers and one that waits. */
const groupBytesMax = 64 * 1024 * 1024;
/** Of requests that wait for a thread, by family: it is given eight at a time. */
const backlogBytesMax = 16 * 1024 * 1024;
/** A sample is a tenth of a log record: blocks of as many bytes have more of them. */
const sampleRowsFactor = 4;
/** What a request costs besides its bytes while it waits: promises, closures, map entries. */
const requestOverheadBytes = 2048;

interface Lane {
  readonly worker: WorkerLane;
  readonly runs: RunTranscoder;
  readonly groups: Readonly<Record<Family, GroupCommit>>;
}

export function createPipeline(options: PipelineOptions): Pipeline {
  inlineTranscoders();
  return new ThreadedPipeline(options);
}

class ThreadedPipeline implements Pipeline {
  readonly #options: PipelineOptions;
  readonly #inserter: BlockInserter;
  readonly #deltas: DeltaState;
  readonly #backlogs: Readonly<Record<Family, Backlog>> = {
    logs: new Backlog(backlogBytesMax),
    traces: new Backlog(backlogBytesMax),
    series: new Backlog(backlogBytesMax),
  };
  readonly #lanes: readonly Lane[];
  readonly #running = new Set<Promise<unknown>>();
  /** Pushed requests under way, by note: a sender that gave up waiting and comes again gets the same answer. */
  readonly #pushed = new Map<string, Promise<RequestOutcome>>();
  readonly #totals = { recordsAccepted: 0, recordsRejected: 0 };
  #inflightBytes = 0;
  #isClosing = false;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#inserter = new BlockInserter(options.store);
    this.#deltas = new DeltaState({
      store: options.store,
      seriesMax: options.deltaSeriesMax ?? deltaSeriesMaxDefault,
      staleMs: (options.transcoder ?? transcoderOptionsDefault).deltaStaleMs,
    });
    this.#lanes = Array.from({ length: options.workers }, () => this.#openLane());
    meter
      .createObservableGauge('sonde.collector.inflight', {
        description: 'Bytes of requests that were taken and are not stored yet.',
        unit: 'By',
      })
      .addCallback((result) => result.observe(this.#inflightBytes));
  }

  readonly insertRequest: RequestInserter = (request) => {
    const running = this.#pushed.get(request.note);
    if (running !== undefined) return running;
    const group = this.#laneFor(request).groups[familyOf(request.signal)];
    const outcome = this.#track([request], async () => {
      if (this.#options.hasShards === true) return this.#insertAlone([request], `pushed/${request.note}`);
      const first = await group.add(request);
      return this.#deltas.settle([request], [first], async ([again]) => [await group.add(again)]);
    }).then(([only]) => only);
    this.#pushed.set(request.note, outcome);
    const forget = (): void => void this.#pushed.delete(request.note);
    outcome.then(forget, forget);
    return outcome;
  };

  readonly whenRoom = (signal: Signal, abort: AbortSignal): Promise<void> =>
    this.#backlogs[familyOf(signal)].whenRoom(abort);

  readonly insertRun: RunInserter = (requests, token) =>
    this.#track(requests, async () => (requests.length === 0 ? [] : this.#insertAlone(requests, token)));

  status(): PipelineStatus {
    return {
      ...this.#totals,
      rowsStored: this.#inserter.rowsStored,
      inflightBytes: this.#inflightBytes,
    };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { groups } of this.#lanes) for (const family of families) groups[family].flush();
    await Promise.allSettled(this.#running);
    await Promise.all(this.#lanes.map(({ worker }) => worker.close()));
  }

  async #insertAlone(all: readonly RunRequest[], token: string): Promise<readonly RequestOutcome[]> {
    const { runs } = this.#laneFor(all[0]);
    const hasNotes = this.#options.hasShards !== true;
    const requests = hasNotes ? all : all.map((request) => ({ ...request, note: undefined }));
    const outcomes = await runs.insert(requests, token);
    return this.#deltas.settle(requests, outcomes, (waiting, name) =>
      runs.insert(waiting, `${token}/delta/${name}`),
    );
  }

  #openLane(): Lane {
    const worker = new WorkerLane(this.#options.transcoder ?? transcoderOptionsDefault);
    const inserter = this.#inserter;
    const context = (): TranscodeContext => this.#context();
    const group = (family: Family): GroupCommit =>
      new GroupCommit({
        lane: worker,
        family,
        limits: this.#limitsOf(family),
        backlog: this.#backlogs[family],
        inserter,
        context,
      });
    return {
      worker,
      runs: new RunTranscoder(worker, inserter, context),
      groups: { logs: group('logs'), traces: group('traces'), series: group('series') },
    };
  }

  #limitsOf(family: Family): GroupLimits {
    const { group } = this.#options;
    const rowsMax = family === 'series' ? group.rowsMax * sampleRowsFactor : group.rowsMax;
    return { ...group, rowsMax, bytesMax: groupBytesMax };
  }

  /**
   * The lane with the fewest bytes. Metrics always take the first: what a thread remembers of series (announced, last
   * sample) is then all there is to remember, and one thread transcodes more samples than several cores can store.
   */
  #laneFor({ signal }: RunRequest): Lane {
    if (familyOf(signal) === 'series') return this.#lanes[0];
    return this.#lanes.reduce((best, lane) => (lane.worker.openBytes < best.worker.openBytes ? lane : best));
  }

  #context(): TranscodeContext {
    const nowUnixMs = this.#options.now();
    const { retentionMs } = this.#options;
    return {
      nowUnixMs,
      oldestUnixMs: retentionMs === 0 ? Number.NEGATIVE_INFINITY : nowUnixMs - retentionMs,
      seriesEpoch: this.#inserter.epoch,
    };
  }

  /** Bounds and counts what is under way. */
  async #track(
    requests: readonly RunRequest[],
    insert: () => Promise<readonly RequestOutcome[]>,
  ): Promise<readonly RequestOutcome[]> {
    if (this.#isClosing) throw new UnavailableError('the collector is shutting down: come again');
    const bytes = requests.reduce(
      (total, request) => total + request.bytes.byteLength + requestOverheadBytes,
      0,
    );
    if (this.#inflightBytes > 0 && this.#inflightBytes + bytes > this.#options.inflightBytesMax) {
      throw new UnavailableError('the collector has too many bytes waiting for the store: come again');
    }
    this.#inflightBytes += bytes;
    const run = insert();
    this.#running.add(run);
    try {
      const outcomes = await run;
      for (const [index, outcome] of outcomes.entries()) this.#count(requests[index], outcome);
      return outcomes;
    } finally {
      this.#running.delete(run);
      this.#inflightBytes -= bytes;
    }
  }

  #count({ signal }: RunRequest, outcome: RequestOutcome): void {
    const { accepted, repeated, decodeError, misfit, rejections } = outcome;
    acceptedCounter.add(accepted - repeated, { signal });
    repeatedCounter.add(repeated, { signal });
    this.#totals.recordsAccepted += accepted - repeated;
    if (decodeError !== undefined && misfit === undefined) undecodableCounter.add(1, { signal });
    for (const { reason, count } of rejections) {
      rejectedCounter.add(count, { signal, reason });
      this.#totals.recordsRejected += count;
    }
  }
}
