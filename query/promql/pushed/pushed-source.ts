/**
 * What a store can answer besides samples: values on a grid, computed by the engine, and cells of five minutes. A source
 * that has this is asked by plan (plan/make-plan.ts); whatever comes from here is equal to what a kernel makes of the
 * samples, or says that it is not.
 */
import type { Labels } from '#model/labels.ts';
import type { SampleRequest } from '../source.ts';

/** Functions of PromQL, and `selector`: the newest sample within the lookback. */
export type PushedFunction =
  | 'selector'
  | 'last_over_time'
  | 'idelta'
  | 'changes'
  | 'resets'
  | 'rate'
  | 'increase'
  | 'delta'
  | 'irate';

export interface PushCapabilities {
  /** Where the samples are: beside us, behind a network, or there on several shards. */
  readonly place: 'embedded' | 'server' | 'cluster';
  /** Functions that passed the self-test. */
  readonly functions: ReadonlySet<PushedFunction>;
}

/** What a plan must know of the samples that a selector finds. */
export interface ReadSurvey {
  /** Native histograms in the range: they are in no cell and no grid. */
  readonly hasHistograms: boolean;
  /**
   * Cells whose right edge is in [from, until] hold all samples that were there when it was asked; empty where
   * from > until. Milliseconds, multiples of cellMs.
   */
  readonly cellsFromMs: number;
  readonly cellsUntilMs: number;
}

export interface GridRequest {
  readonly request: SampleRequest;
  readonly function: PushedFunction;
  /** Of the window that ends at each point; open at its start. */
  readonly rangeMs: number;
  readonly firstMs: number;
  readonly stepMs: number;
  readonly count: number;
}

export interface GridSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly present: Uint8Array;
  /** Samples that the engine has looked at. */
  readonly sampleCount: number;
  /** The samples are such that the engine's answer is another than the kernel's: it must not be used. */
  readonly isSuspect: boolean;
}

/** `sum` and `avg` add in another order than PromQL. */
export type GroupOperator = 'count' | 'group' | 'min' | 'max' | 'sum' | 'avg';

export interface GroupRequest {
  readonly grid: GridRequest;
  readonly operator: GroupOperator;
  /** Labels that a group keeps. */
  readonly by: readonly string[];
}

export interface GridGroup extends GridSeries {
  readonly seriesCount: number;
}

export const cellMs = 300_000;

/** What can be asked of cells; see store/compaction/cell-sql.ts for what they mean. */
export type CellColumn =
  | 't0'
  | 't1'
  | 'v0'
  | 'v1'
  | 'n'
  | 'resets'
  | 'reset_count'
  | 'vmin'
  | 'vmax'
  | 'vsum'
  | 'stale'
  | 'traits';

/** Bits of a cell's traits. A cell that was made by an older program has none. */
export const onlyIntegers = 1;
export const noNegativeZero = 2;

export interface CellRequest {
  readonly request: SampleRequest;
  readonly columns: readonly CellColumn[];
  /** Right edges of the first and the last cell; multiples of cellMs. */
  readonly firstEdgeMs: number;
  readonly lastEdgeMs: number;
  /** Only cells that end in (e - lengthMs, e] for an e of lastEdgeMs - k * everyMs are needed. */
  readonly everyMs: number;
  readonly lengthMs: number;
}

export interface CellSeries {
  readonly labels: Labels;
  /** The cells' number of samples; 0 where there is no cell. Place i is the cell that ends at firstEdgeMs + i * cellMs. */
  readonly counts: Float64Array;
  /** One column each, as long as `counts`; times in milliseconds. */
  readonly columns: Readonly<Partial<Record<CellColumn, Float64Array>>>;
  readonly cellCount: number;
}

export interface PushedReads {
  /** Yields groups in the order of their first series that has a value. */
  groups(request: GroupRequest, abort: AbortSignal): AsyncIterable<GridGroup>;
  /** Never rejects: a store that cannot be asked has no functions. */
  capabilities(): Promise<PushCapabilities>;
  countSeries(request: SampleRequest, abort: AbortSignal): Promise<number>;
  survey(request: SampleRequest, wantsCells: boolean, abort: AbortSignal): Promise<ReadSurvey>;
  /** Yields series in the order of SampleSource.select. */
  grid(request: GridRequest, abort: AbortSignal): AsyncIterable<GridSeries>;
  /** Yields every matching series in the order of SampleSource.select, also those without a cell. */
  cells(request: CellRequest, abort: AbortSignal): AsyncIterable<CellSeries>;
}
