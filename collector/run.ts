/**
 * A run: the requests that are inserted together, and what became of them. On Kafka a run is the messages
 * [first, last] of one partition; requests that are pushed are gathered into one (group-commit.ts). Its blocks are a
 * pure function of it, and of the totals that delta points come with, except that rows which are in the store already may
 * be missing from them.
 */
import type { NativeBlock } from '#store/store.ts';
import type { NotedTable } from '#store/tables.ts';
import type { Signal } from '#wire/envelope.ts';
import type { DeltaNeeds, DeltaTotals } from './delta-totals.ts';

/** One request of a run: uncompressed protobuf. */
export interface RunRequest {
  readonly signal: Signal;
  readonly tenant: string;
  /** Handed over to the worker: the caller must not touch the buffer afterwards. */
  readonly bytes: Uint8Array;
  /** See Envelope. */
  readonly isMovable?: boolean | undefined;
  /** The name of the batch in the tables (batch-note.ts): rows that landed before, in whatever run, are left out. */
  readonly note?: string | undefined;
  /** Where the rows of this batch are already. */
  readonly landed?: LandedIn | undefined;
  /** Totals of the request's delta series. Without them, a request that has delta points waits for them. */
  readonly deltaTotals?: DeltaTotals | undefined;
}

/** First seconds of the partitions that hold a batch, by table. */
export type LandedIn = Readonly<Partial<Record<NotedTable, readonly number[]>>>;

/** Tables that are filled together: requests of one family are gathered into the same blocks. */
export const families = ['series', 'traces', 'logs'] as const;
export type Family = (typeof families)[number];

export function familyOf(signal: Signal): Family {
  return signal === 'metrics' || signal === 'remote_write' ? 'series' : signal;
}

/**
 * Which of a pipeline's runs a worker may take for stored: those in [storedFrom, storedBelow). A run that failed moves
 * storedFrom past itself.
 */
export interface RunStanding {
  readonly number: number;
  readonly storedFrom: number;
  readonly storedBelow: number;
}

export interface TranscodeTask {
  readonly requests: readonly RunRequest[];
  /** Arrival time, for records that carry no time. */
  readonly nowUnixMs: number;
  /** Samples, spans and records older than this are refused as `too_old`; -Infinity keeps everything. */
  readonly oldestUnixMs: number;
  /** A worker forgets which series it has announced when this changes (an insert failed). */
  readonly seriesEpoch: number;
  /** Without it, a sample that is sent again is recognised within the run only. */
  readonly standing?: RunStanding;
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
export const untoldReasons: ReadonlySet<string> = new Set([
  'exemplar_too_old',
  'exemplar_too_far_ahead',
  'exemplar_out_of_range',
  'exemplar_labels_too_long',
  'exemplar_invalid_labels',
  'invalid_start_time',
  'delta_repeated',
]);

/** What became of one request, in the order of TranscodeTask.requests. */
export interface RequestOutcome {
  /** Records (log records, spans, samples, native histograms) that are in the blocks, or were in the store already. */
  readonly accepted: number;
  /** How many of them were stored by an earlier try of the same batch. */
  readonly repeated: number;
  /** Native histograms among the accepted. */
  readonly histograms?: number | undefined;
  /** Exemplars that are in the blocks, on top of the accepted. */
  readonly exemplars?: number | undefined;
  readonly rejections: readonly Rejection[];
  /** Set where the bytes could not be decoded: nothing of this request is in the blocks. */
  readonly decodeError: string | undefined;
  /**
   * Set beside decodeError where other requests were in the blocks already: they share the bounds of a block, so that any
   * of them may be the one that is too large. It must be tried in blocks of its own before it is refused.
   */
  readonly misfit?: { readonly bytes: Uint8Array };
  /** The request has delta points: nothing of it is in the blocks until it comes again with the totals it needs. */
  readonly deltaWait?: { readonly needs: DeltaNeeds; readonly bytes: Uint8Array };
  /** RunRequest.deltaTotals as the request left them: true once its blocks are stored. */
  readonly deltaTotals?: DeltaTotals;
}

/** What is in the open blocks of a family, after some requests were appended. */
export interface OpenBlocks {
  readonly outcomes: readonly RequestOutcome[];
  /** Of the largest block. */
  readonly rowCount: number;
  readonly blockBytes: number;
  /** First seconds of the partitions that rows fall into, by table. */
  readonly touched: LandedIn;
}

export interface TranscodeResult {
  /** Insert in this order: series and metadata come before the samples that need them. */
  readonly blocks: readonly NativeBlock[];
  readonly outcomes: readonly RequestOutcome[];
}

/**
 * Transcodes a Kafka run and inserts its blocks, each under `token` + '/' + table. Must resolve only when all of it is
 * durable; rejects with UnavailableError where the caller should repeat the same run under the same token.
 */
export type RunInserter = (
  requests: readonly RunRequest[],
  token: string,
) => Promise<readonly RequestOutcome[]>;

/** A pushed request: its sender keeps it until it is answered, and may send it again. */
export type PushedRequest = RunRequest & { readonly note: string };

/**
 * Stores a pushed request together with others. Must resolve only when its rows are durable; rejects with
 * UnavailableError where the sender should come again.
 */
export type RequestInserter = (request: PushedRequest) => Promise<RequestOutcome>;
