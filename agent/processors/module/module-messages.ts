/** What the agent and the thread of a module say to each other. */

/** The thread's workerData. */
export interface ModuleSetup {
  readonly path: string;
  readonly options: unknown;
}

/** A batch to process; `isMeant` says for each resource of the request whether the module is for it. */
export interface ProcessRequest {
  readonly id: number;
  readonly bytes: Uint8Array;
  readonly isMeant: readonly boolean[];
}

export interface ProcessCounts {
  readonly in: number;
  readonly dropped: number;
  readonly changed: number;
}

export type ModuleMessage =
  | { readonly kind: 'ready' }
  /** The module cannot be loaded, or refuses its options. */
  | { readonly kind: 'refused'; readonly reason: string }
  | {
      readonly kind: 'done';
      readonly id: number;
      readonly bytes: Uint8Array;
      readonly counts: ProcessCounts;
      /** Records left, by resource of the request. */
      readonly records: readonly number[];
    }
  | { readonly kind: 'failed'; readonly id: number; readonly reason: string };
