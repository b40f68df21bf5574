/** What a pushing sender needs to know of a signal: how records become a request, and what an answer to it says. */
import type { PushAnswer } from './push-client.ts';

export interface PushSignal {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly repeats: (status: number) => boolean;
  /** Adds the record of that number to the next request. Returns the bytes that the request has now. */
  add(seq: number, nowMs: number): number;
  /** Returns the bytes of the records added since the last call. */
  finish(): Uint8Array;
  /** Returns '' where the answer acknowledges all `count` records, else what it says instead. */
  fault(answer: PushAnswer, count: number): string;
}

/** What every signal says of a status that is no success, as a sentence for a person. */
export function statusFault({ status, body }: PushAnswer): string {
  if (status >= 200 && status < 300) return '';
  const text = body
    .toString('utf8', 0, 300)
    .replace(/[^\x20-\x7e]+/g, ' ')
    .trim();
  return `the receiver answered ${status}${text === '' ? '' : `: ${text}`}`;
}
