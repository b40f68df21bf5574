/** One instant query, as rules and scaling signals need it: a language's engine behind one function. */
import type { Labels } from '#model/labels.ts';

export interface InstantSample {
  /** Empty for a scalar. */
  readonly labels: Labels;
  readonly value: number;
}

export interface InstantRequest {
  readonly tenant: string;
  readonly query: string;
  readonly timeMs: number;
  readonly abort?: AbortSignal;
}

/** Evaluates a query at one time. Rejects with ParseError, LimitError or StoreError, never with a partial result. */
export type InstantQuery = (request: InstantRequest) => Promise<readonly InstantSample[]>;
