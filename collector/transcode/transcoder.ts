/**
 * Requests -> one Native block per table, and what became of each request.
 *
 *   append(requests), append(more)  ->  rows are in the columns of their family     take('logs')  ->  its blocks
 *
 * A request that cannot be decoded leaves nothing in the blocks, and the others are not touched by it. One that expands
 * beyond all bounds is refused only where it is alone in them: see RequestOutcome.misfit. Requests are kept until their
 * blocks are taken: where some turn out to have landed before, again() starts the blocks anew.
 */
import type { DeltaTotals } from '#collector/delta-totals.ts';
import {
  type Family,
  families,
  familyOf,
  type LandedIn,
  type OpenBlocks,
  type RequestOutcome,
  type RunRequest,
  type TranscodeResult,
  type TranscodeTask,
} from '#collector/run.ts';
import { DecodeError } from '#model/errors.ts';
import type { NativeBlock } from '#store/store.ts';
import type { NotedTable } from '#store/tables.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { ExpansionError } from './byte-buffer.ts';
import { DeltaAccumulator } from './delta-accumulator.ts';
import { LogsTranscoder } from './logs-transcoder.ts';
import { describeMalformed } from './malformed-request.ts';
import { MetricsTranscoder } from './metrics-transcoder.ts';
import type { NotedSink } from './partition-ledger.ts';
import { RecordWindow, twoTo32 } from './record-window.ts';
import { RemoteWriteTranscoder } from './remote-write-transcoder.ts';
import { failedOutcome, misfitOutcome, RequestTally, waitingOutcome } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import { SeriesSink } from './series-sink.ts';
import { SpansTranscoder } from './spans-transcoder.ts';
import type { TableSink } from './table-sink.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcoder-options.ts';

/** Of one table in open blocks. Each is a part of its own to write: two years of logs, eighty days of samples. */
const partitionsMax = 1000;

/** Times of a task, and what the store is known to have. */
export type TranscodeContext = Omit<TranscodeTask, 'requests'>;

/** Returns a function that transcodes one run by itself: see Transcoder. */
export function createTranscoder(
  options: TranscoderOptions = transcoderOptionsDefault,
): (task: TranscodeTask) => TranscodeResult {
  const transcoder = new Transcoder(options);
  return ({ requests, ...context }) => {
    const { outcomes } = transcoder.append(requests, context);
    return { blocks: families.flatMap((family) => transcoder.take(family)), outcomes };
  };
}

interface FamilyState {
  /** In insert order. */
  readonly sinks: readonly TableSink[];
  readonly noted: readonly NotedSink[];
  /** What the open blocks were made from. */
  requests: RunRequest[];
  readonly touched: Map<NotedTable, Set<number>>;
  reset(): void;
}

/** One per thread and use. Not reentrant; never throws on content: see RequestOutcome.decodeError. */
export class Transcoder {
  readonly #reader = new ProtobufReader();
  readonly #window = new RecordWindow();
  readonly #series: SeriesSink;
  readonly #logs: LogsTranscoder;
  readonly #spans = new SpansTranscoder(this.#reader, this.#window);
  readonly #deltas: DeltaAccumulator;
  readonly #metrics: MetricsTranscoder;
  readonly #remoteWrite: RemoteWriteTranscoder;
  readonly #families: Readonly<Record<Family, FamilyState>>;
  /** Delta series, by tenant, of requests that did not fit in this task: those after it may have later points of them. */
  readonly #unadded = new Map<string, Set<number>>();

  constructor(options: TranscoderOptions) {
    const reader = this.#reader;
    const window = this.#window;
    const series = new SeriesSink(window, options.seriesLimits);
    this.#series = series;
    this.#logs = new LogsTranscoder(reader, window, options.promotedFields);
    this.#deltas = new DeltaAccumulator(options.deltaStaleMs);
    this.#metrics = new MetricsTranscoder(reader, window, series, options.metrics, this.#deltas);
    this.#remoteWrite = new RemoteWriteTranscoder(reader, window, series);
    const { columns: logs, ledger: logLedger } = this.#logs;
    const { columns: spans, ledger: spanLedger, index } = this.#spans;
    this.#families = {
      logs: familyState([], [{ sink: logs.sink, ledger: logLedger }], () => this.#logs.reset()),
      traces: familyState([index.sink], [{ sink: spans.sink, ledger: spanLedger }], () =>
        this.#spans.reset(),
      ),
      series: familyState(series.namingSinks, series.notedSinks, () => {
        series.reset();
        this.#deltas.beginTask();
      }),
    };
  }

  /** Appends requests to the open blocks of their families. What is said of the blocks is of the first one's family. */
  append(requests: readonly RunRequest[], context: TranscodeContext): OpenBlocks {
    this.#window.begin(context.nowUnixMs, context.oldestUnixMs);
    this.#series.beginTask(context.seriesEpoch, context.standing);
    this.#deltas.beginTask();
    this.#unadded.clear();
    try {
      const outcomes = requests.map((request) => this.#appendRequest(request));
      const family = requests.length === 0 ? 'logs' : familyOf(requests[0].signal);
      return { outcomes, ...this.#openBlocks(family) };
    } catch (error) {
      // All open blocks may be damaged, and with them the series rows of earlier requests.
      for (const family of families) this.discard(family);
      throw error;
    }
  }

  /** Starts the open blocks of a family anew from the same requests, without what `landed` says of their notes. */
  again(family: Family, landed: ReadonlyMap<string, LandedIn>, context: TranscodeContext): OpenBlocks {
    const { requests } = this.#families[family];
    this.discard(family);
    return this.append(
      requests.map((request) => ({ ...request, landed: landed.get(request.note ?? '') })),
      context,
    );
  }

  /** Hands over the blocks of a family in insert order, those without rows left out. */
  take(family: Family): NativeBlock[] {
    const { sinks } = this.#families[family];
    const blocks = sinks.filter(({ rowCount }) => rowCount > 0).map((sink) => sink.take());
    this.#reset(family);
    return blocks;
  }

  /** What the open blocks of a family are made from. */
  requests(family: Family): readonly RunRequest[] {
    return this.#families[family].requests;
  }

  /** Drops the open blocks of a family; the series that they announce are announced again. */
  discard(family: Family): void {
    if (family === 'series') this.#series.forget();
    this.#reset(family);
  }

  #reset(family: Family): void {
    const state = this.#families[family];
    state.requests = [];
    state.touched.clear();
    state.reset();
  }

  #openBlocks(family: Family): Omit<OpenBlocks, 'outcomes'> {
    const { sinks, touched } = this.#families[family];
    return {
      rowCount: Math.max(...sinks.map(({ rowCount }) => rowCount)),
      blockBytes: Math.max(...sinks.map(({ byteLength }) => byteLength)),
      touched: Object.fromEntries([...touched].map(([table, seconds]) => [table, [...seconds]])),
    };
  }

  #appendRequest(request: RunRequest): RequestOutcome {
    if (this.#unadded.size > 0 && this.#isOutOfTurn(request)) {
      const fact = 'a request before it has earlier delta points, and did not fit';
      return this.#misfit(request, fact);
    }
    const state = this.#families[familyOf(request.signal)];
    const tally = new RequestTally();
    for (const sink of state.sinks) sink.mark();
    this.#series.mark();
    for (const { sink, ledger } of state.noted)
      ledger.beginRequest(request.landed?.[sink.table as NotedTable]);
    this.#reader.begin(request.bytes);
    try {
      this.#deltas.beginRequest(request.tenant, request.deltaTotals);
      this.#transcoderOf(request).transcode(request.tenant, tally);
      if (this.#deltas.isCollecting && this.#deltas.count > 0) {
        this.#rollback(state);
        return waitingOutcome(this.#deltas.needs(), request.bytes);
      }
      for (const noted of state.noted) checkPartitions(noted, state);
      for (const noted of state.noted) this.#note(noted, request, state, tally);
      state.requests.push(request);
      const outcome = tally.outcome();
      if (request.deltaTotals === undefined) return outcome;
      return { ...outcome, deltaTotals: this.#deltas.totalsOf(request.deltaTotals) };
    } catch (error) {
      this.#rollback(state);
      const isAlone = state.requests.length === 0;
      // Nothing is in the blocks: the memory that it made them grow to is given back, and the next one is alone as well.
      if (isAlone) state.reset();
      if (error instanceof DecodeError) {
        return failedOutcome(describeMalformed(request.signal, request.bytes, error));
      }
      if (!(error instanceof ExpansionError)) throw error;
      return isAlone ? failedOutcome(error.message) : this.#misfit(request, error.message);
    }
  }

  /** Points that are added after later ones of their series are refused, and so lost. */
  #isOutOfTurn({ tenant, deltaTotals }: RunRequest): boolean {
    const unadded = this.#unadded.get(tenant);
    if (unadded === undefined || deltaTotals === undefined) return false;
    return keysOf(deltaTotals).some((key) => unadded.has(key));
  }

  #misfit({ tenant, bytes, deltaTotals }: RunRequest, fact: string): RequestOutcome {
    if (deltaTotals !== undefined) {
      const unadded = this.#unadded.get(tenant) ?? new Set();
      this.#unadded.set(tenant, unadded);
      for (const key of keysOf(deltaTotals)) unadded.add(key);
    }
    return misfitOutcome(fact, bytes);
  }

  #rollback({ sinks }: FamilyState): void {
    for (const sink of sinks) sink.rollback();
    this.#series.rollback();
    this.#logs.rollback();
    this.#deltas.rollback();
  }

  #note({ sink, ledger }: NotedSink, { note }: RunRequest, state: FamilyState, tally: RequestTally): void {
    const table = sink.table as NotedTable;
    if (table === 'exemplars') tally.exemplars += ledger.skippedCount;
    else {
      tally.accepted += ledger.skippedCount;
      tally.repeated += ledger.skippedCount;
      if (table === 'histograms_head') tally.histograms += ledger.skippedCount;
    }
    if (ledger.touched.size === 0) return;
    const touched = state.touched.get(table) ?? new Set();
    state.touched.set(table, touched);
    for (const second of ledger.touched) touched.add(second);
    if (note === undefined) return;
    const name = textBytes(note);
    for (const second of ledger.touched) sink.pushNote(name, second);
  }

  #transcoderOf(request: RunRequest): { transcode(tenant: string, tally: RequestTally): void } {
    switch (request.signal) {
      case 'logs':
        return this.#logs;
      case 'traces':
        return this.#spans;
      case 'metrics':
        return this.#metrics;
      case 'remote_write':
        return this.#remoteWrite;
      default:
        return request.signal satisfies never;
    }
  }
}

/** 53 bits of each series' id, which a number holds exactly: what shares them with another is tried alone, which is all. */
function keysOf({ ids }: DeltaTotals): Float64Array {
  return new Float64Array(ids.length / 2).map(
    (_, i) => (ids[2 * i + 1] & 0x1f_ffff) * twoTo32 + (ids[2 * i] >>> 0),
  );
}

/** Throws where the blocks would be cut into more parts than one insert can write. */
function checkPartitions({ sink, ledger }: NotedSink, { touched }: FamilyState): void {
  const before = touched.get(sink.table as NotedTable);
  const partitions = before === undefined ? ledger.touched : ledger.touched.union(before);
  if (partitions.size > partitionsMax) {
    throw new ExpansionError(
      `the request has times of more than ${partitionsMax} partitions of ${sink.table}: send less time at once`,
    );
  }
}

function familyState(
  naming: readonly TableSink[],
  noted: readonly NotedSink[],
  reset: () => void,
): FamilyState {
  const sinks = [...naming, ...noted.map(({ sink }) => sink)];
  return { sinks, noted, requests: [], touched: new Map(), reset };
}
