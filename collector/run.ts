/**
 * A run: the requests that are inserted together, and what became of them. On Kafka a run is the messages
 * [first, last] of one partition; on the direct transport it is one request. Its blocks are a pure function of it, and
 * of the totals that delta points come with.
 */
import type { NativeBlock } from '#store/store.ts';
import type { Signal } from '#wire/envelope.ts';
import type { DeltaNeeds, DeltaTotals } from './delta-totals.ts';

/** One request of a run: uncompressed protobuf. */
export interface RunRequest {
  readonly signal: Signal;
  readonly tenant: string;
  /** Handed over to the worker: the caller must not touch the buffer afterwards. */
  readonly bytes: Uint8Array;
  /**
   * Signal and batch id (`logs/9f2c-17`), where the run's token does not carry it: a request that landed before, in
   * whatever run, is left out. Undefined for requests without an identity of their own.
   */
  readonly batch?: string | undefined;
  /** Totals of the request's delta series. Without them, a request that has delta points waits for them. */
  readonly deltaTotals?: DeltaTotals | undefined;
}

export interface TranscodeTask {
  readonly requests: readonly RunRequest[];
  /** Arrival time, for records that carry no time. */
  readonly nowUnixMs: number;
  /** Samples, spans and records older than this are refused as `too_old`; -Infinity keeps everything. */
  readonly oldestUnixMs: number;
  /** A worker forgets which series it has announced when this changes (an insert failed). */
  readonly seriesEpoch: number;
}

/** Records of one request that were refused, by reason (a metric label: snake_case, few values). */
export interface Rejection {
  readonly reason: string;
  readonly count: number;
  /** One sentence for the sender, with an example. */
  readonly message: string;
}

/**
 * Reasons that the sender is not told as refusals: what was dropped comes on top of records that were stored, and SDKs
 * and Prometheus attach it by default; or it was stored before. They are counted like the others.
 */
export const untoldReasons: ReadonlySet<string> = new Set(['unsupported_exemplar', 'delta_repeated']);

/** What became of one request, in the order of TranscodeTask.requests. */
export interface RequestOutcome {
  /** Records (log records, spans, samples) that are in the blocks. */
  readonly accepted: number;
  readonly rejections: readonly Rejection[];
  /** Set where the bytes could not be decoded: nothing of this request is in the blocks. */
  readonly decodeError: string | undefined;
  /** The batch had landed before: nothing was stored, and nothing was lost. */
  readonly isRepeat?: boolean;
  /** The request has delta points: nothing of it is in the blocks until it comes again with the totals it needs. */
  readonly deltaWait?: { readonly needs: DeltaNeeds; readonly bytes: Uint8Array };
  /** RunRequest.deltaTotals as the request left them: true once its blocks are stored. */
  readonly deltaTotals?: DeltaTotals;
}

export interface TranscodeResult {
  /** Insert in this order: series and metadata come before the samples that need them. */
  readonly blocks: readonly NativeBlock[];
  readonly outcomes: readonly RequestOutcome[];
}

/**
 * Transcodes a run and inserts its blocks, each under `token` + '/' + table. Must resolve only when all of it is
 * durable; rejects with UnavailableError where the caller should repeat the same run under the same token.
 */
export type RunInserter = (
  requests: readonly RunRequest[],
  token: string,
) => Promise<readonly RequestOutcome[]>;
