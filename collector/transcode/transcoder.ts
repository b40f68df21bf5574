/**
 * Requests -> one Native block per table, and what became of each request.
 *
 *   append(requests), append(more)  ->  rows are in the columns of their family     take('logs')  ->  its blocks
 *
 * A request that cannot be decoded leaves nothing in the blocks, and the others are not touched by it. One that expands
 * beyond all bounds is refused only where it is alone in them: see RequestOutcome.misfit. Requests are kept until their
 * blocks are taken: where some turn out to have landed before, again() starts the blocks anew.
 */
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
import { RecordWindow } from './record-window.ts';
import { RemoteWriteTranscoder } from './remote-write-transcoder.ts';
import { failedOutcome, misfitOutcome, RequestTally, waitingOutcome } from './request-tally.ts';
import { textBytes } from './resource-scope.ts';
import { SeriesSink } from './series-sink.ts';
import { SpansTranscoder } from './spans-transcoder.ts';
import type { TableSink } from './table-sink.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcoder-options.ts';

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
  readonly #series = new SeriesSink(this.#window);
  readonly #logs = new LogsTranscoder(this.#reader, this.#window);
  readonly #spans = new SpansTranscoder(this.#reader, this.#window);
  readonly #deltas: DeltaAccumulator;
  readonly #metrics: MetricsTranscoder;
  readonly #remoteWrite = new RemoteWriteTranscoder(this.#reader, this.#window, this.#series);
  readonly #families: Readonly<Record<Family, FamilyState>> = {
    logs: familyState([], [{ sink: this.#logs.columns.sink, ledger: this.#logs.ledger }], () =>
      this.#logs.reset(),
    ),
    traces: familyState(
      [this.#spans.index.sink],
      [{ sink: this.#spans.columns.sink, ledger: this.#spans.ledger }],
      () => this.#spans.reset(),
    ),
    series: familyState(this.#series.namingSinks, this.#series.notedSinks, () => {
      this.#series.reset();
      this.#deltas.beginTask();
    }),
  };

  constructor(options: TranscoderOptions) {
    this.#deltas = new DeltaAccumulator(options.deltaStaleMs);
    this.#metrics = new MetricsTranscoder(
      this.#reader,
      this.#window,
      this.#series,
      options.metrics,
      this.#deltas,
    );
  }

  /** Appends requests to the open blocks of their families. What is said of the blocks is of the first one's family. */
  append(requests: readonly RunRequest[], context: TranscodeContext): OpenBlocks {
    this.#window.begin(context.nowUnixMs, context.oldestUnixMs);
    this.#series.beginTask(context.seriesEpoch, context.standing);
    this.#deltas.beginTask();
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
    const { sinks, requests } = this.#families[family];
    const blocks = sinks.filter(({ rowCount }) => rowCount > 0).map((sink) => sink.take());
    requests.length = 0;
    this.#reset(family);
    return blocks;
  }

  /** How many requests the open blocks of a family are made from. */
  requestCount(family: Family): number {
    return this.#families[family].requests.length;
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
      return isAlone ? failedOutcome(error.message) : misfitOutcome(error.message, request.bytes);
    }
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
    if (note === undefined || ledger.touched.length === 0) return;
    const name = textBytes(note);
    const touched = state.touched.get(table) ?? new Set();
    state.touched.set(table, touched);
    for (const second of ledger.touched) {
      sink.pushNote(name, second);
      touched.add(second);
    }
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

function familyState(
  naming: readonly TableSink[],
  noted: readonly NotedSink[],
  reset: () => void,
): FamilyState {
  const sinks = [...naming, ...noted.map(({ sink }) => sink)];
  return { sinks, noted, requests: [], touched: new Map(), reset };
}
