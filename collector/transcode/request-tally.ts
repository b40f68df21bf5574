/** Counts what became of one request's records, and keeps one example per reason of refusal. */
import type { DeltaNeeds } from '#collector/delta-totals.ts';
import type { RequestOutcome } from '#collector/run.ts';
import { ExpansionError } from './byte-buffer.ts';

/** What every transcoder reports per request. `reject` is off the hot path. */
export class RequestTally {
  accepted = 0;
  /** Accepted records that were stored before, by an earlier try. */
  repeated = 0;
  /** Native histograms among the accepted. */
  histograms = 0;
  exemplars = 0;
  readonly #rejections = new Map<string, { count: number; message: string }>();

  /** `message` is one sentence for the sender; the first per reason is kept. */
  reject(reason: string, message: string, count = 1): void {
    const known = this.#rejections.get(reason);
    if (known === undefined) this.#rejections.set(reason, { count, message });
    else known.count += count;
  }

  outcome(): RequestOutcome {
    const rejections = [...this.#rejections].map(([reason, { count, message }]) => ({
      reason,
      count,
      message,
    }));
    return {
      accepted: this.accepted,
      repeated: this.repeated,
      histograms: this.histograms === 0 ? undefined : this.histograms,
      exemplars: this.exemplars === 0 ? undefined : this.exemplars,
      rejections,
      decodeError: undefined,
    };
  }
}

/** The outcome of a request of which nothing is stored. */
export function failedOutcome(decodeError: string): RequestOutcome {
  return { accepted: 0, repeated: 0, rejections: [], decodeError };
}

/** The outcome of a request that may fit where it is alone: nothing of it is stored. */
export function misfitOutcome(decodeError: string, bytes: Uint8Array): RequestOutcome {
  return { ...failedOutcome(decodeError), misfit: { bytes } };
}

/** The outcome of a request that must come again with totals: nothing of it is stored. */
export function waitingOutcome(needs: DeltaNeeds, bytes: Uint8Array): RequestOutcome {
  return { accepted: 0, repeated: 0, rejections: [], decodeError: undefined, deltaWait: { needs, bytes } };
}

/**
 * Records (log records, spans, samples) of one request. 4 million of 16 bytes fill the 64 MiB that a receiver takes;
 * smaller ones are empty records, which would become fifty times their size in columns.
 */
const requestRecordsMax = 4 * 1024 * 1024;

/** Throws ExpansionError where a request holds more records than any honest one. */
export function checkRecordCount(count: number): void {
  if (count > requestRecordsMax) {
    throw new ExpansionError(
      `the request holds more than ${requestRecordsMax} records: send smaller batches`,
    );
  }
}
