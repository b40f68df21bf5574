/**
 * A run of requests -> one Native block per table, and what became of each request.
 *
 * A request that cannot be decoded leaves nothing in the blocks, and the others are not touched by it. Columns,
 * dictionaries and scratch memory are kept from one task to the next: one transcoder per worker thread.
 */
import type { RequestOutcome, RunRequest, TranscodeResult, TranscodeTask } from '#collector/run.ts';
import { DecodeError } from '#model/errors.ts';
import type { NativeBlock } from '#store/store.ts';
import { ProtobufReader } from '#wire/protobuf/protobuf-reader.ts';
import { ExpansionError } from './byte-buffer.ts';
import { DeltaAccumulator } from './delta-accumulator.ts';
import { LandedColumns } from './landed-columns.ts';
import { LogsTranscoder } from './logs-transcoder.ts';
import { describeMalformed } from './malformed-request.ts';
import { MetricsTranscoder } from './metrics-transcoder.ts';
import { RecordWindow } from './record-window.ts';
import { RemoteWriteTranscoder } from './remote-write-transcoder.ts';
import { failedOutcome, RequestTally, waitingOutcome } from './request-tally.ts';
import { SeriesSink } from './series-sink.ts';
import { SpansTranscoder } from './spans-transcoder.ts';
import type { TableSink } from './table-sink.ts';
import { type TranscoderOptions, transcoderOptionsDefault } from './transcoder-options.ts';

/**
 * Returns a function that transcodes one run. It is synchronous and keeps state: which series it has announced, until
 * TranscodeTask.seriesEpoch changes. Blocks come in insert order: metric_metadata, series, samples_head,
 * trace_index, spans, logs, landed_batches; a table without rows has none. Never throws on content: see RequestOutcome.decodeError.
 */
export function createTranscoder(
  options: TranscoderOptions = transcoderOptionsDefault,
): (task: TranscodeTask) => TranscodeResult {
  const transcoder = new Transcoder(options);
  return (task) => transcoder.transcode(task);
}

class Transcoder {
  readonly #reader = new ProtobufReader();
  readonly #window = new RecordWindow();
  readonly #series = new SeriesSink(this.#window);
  readonly #logs = new LogsTranscoder(this.#reader, this.#window);
  readonly #spans = new SpansTranscoder(this.#reader, this.#window);
  readonly #deltas: DeltaAccumulator;
  readonly #metrics: MetricsTranscoder;
  readonly #remoteWrite = new RemoteWriteTranscoder(this.#reader, this.#window, this.#series);
  readonly #landed = new LandedColumns();
  readonly #sinks: readonly TableSink[] = [
    ...this.#series.sinks,
    this.#spans.index.sink,
    this.#spans.columns.sink,
    this.#logs.columns.sink,
    // Last: a batch is noted only after all of its rows are in.
    this.#landed.sink,
  ];

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

  transcode(task: TranscodeTask): TranscodeResult {
    this.#window.begin(task.nowUnixMs, task.oldestUnixMs);
    this.#series.beginTask(task.seriesEpoch);
    this.#deltas.beginTask();
    try {
      const nowSeconds = Math.floor(task.nowUnixMs / 1000);
      const outcomes = task.requests.map((request) => this.#transcodeRequest(request, nowSeconds));
      const blocks: NativeBlock[] = [];
      for (const sink of this.#sinks) if (sink.rowCount > 0) blocks.push(sink.encode());
      return { blocks, outcomes };
    } catch (error) {
      // The whole run is lost, and with it the series rows of its earlier requests.
      this.#series.forget();
      throw error;
    } finally {
      this.#logs.reset();
      this.#spans.reset();
      this.#series.reset();
      this.#landed.sink.reset();
    }
  }

  #transcodeRequest(request: RunRequest, nowSeconds: number): RequestOutcome {
    const tally = new RequestTally();
    for (const sink of this.#sinks) sink.mark();
    this.#series.mark();
    this.#deltas.beginRequest(request.tenant, request.deltaTotals);
    this.#reader.begin(request.bytes);
    try {
      this.#transcoderOf(request).transcode(request.tenant, tally);
      if (this.#deltas.isCollecting && this.#deltas.count > 0) {
        this.#rollback();
        return waitingOutcome(this.#deltas.needs(), request.bytes);
      }
      if (request.batch !== undefined) this.#landed.push(request.tenant, request.batch, nowSeconds);
      const outcome = tally.outcome();
      if (request.deltaTotals === undefined) return outcome;
      return { ...outcome, deltaTotals: this.#deltas.totalsOf(request.deltaTotals) };
    } catch (error) {
      this.#rollback();
      if (error instanceof DecodeError) {
        return failedOutcome(describeMalformed(request.signal, request.bytes, error));
      }
      if (error instanceof ExpansionError) return failedOutcome(error.message);
      throw error;
    }
  }

  #rollback(): void {
    for (const sink of this.#sinks) sink.rollback();
    this.#series.rollback();
    this.#deltas.rollback();
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
