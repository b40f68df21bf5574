/**
 * The rules by which lines become records, by name: 'auto' joins stack traces, 'off' nothing, and anything else is a regular
 * expression that matches the first line of each record (RE2 syntax, found anywhere in the line unless it is anchored).
 *
 *   '^\d{4}-\d{2}-\d{2}'  ->  lines without a date belong to the record before them
 */
import { RE2JS } from 're2js';
import { errorMessage } from '#model/errors.ts';
import { streamCount } from './frame.ts';
import { joinGapMsMax, joinLinesMax, LineJoin, type RecordJoin } from './line-join.ts';

/** Each line costs up to so many steps a byte, on the thread that reads all files: dates and levels take some 30. */
const programSizeMax = 300;

/** Returns what is wrong with a rule; '' for nothing. */
export function multilineFault(multiline: string): string {
  if (multiline === 'auto' || multiline === 'off') return '';
  if (multiline === '')
    return 'expected auto, off, or a regular expression that matches the first line of a record';
  try {
    const size = RE2JS.compile(multiline).programSize();
    if (size <= programSizeMax) return '';
    return `${JSON.stringify(multiline)} makes too large a machine: ${size} instructions of at most ${programSizeMax}`;
  } catch (error) {
    return `${JSON.stringify(multiline)} is neither auto, off, nor a regular expression: ${errorMessage(error)}`;
  }
}

class NoJoin implements RecordJoin {
  readonly isOpen = false;
  readonly timeMs = 0;

  take(): boolean {
    return false;
  }

  reset(): void {}
}

class PatternJoin implements RecordJoin {
  readonly #first: RE2JS;
  #lineCount = 0;
  timeMs = 0;

  constructor(first: RE2JS) {
    this.#first = first;
  }

  get isOpen(): boolean {
    return this.#lineCount > 0;
  }

  reset(): void {
    this.#lineCount = 0;
  }

  take(bytes: Buffer, from: number, to: number, timeMs: number): boolean {
    const isJoined =
      this.isOpen &&
      this.#lineCount < joinLinesMax &&
      ((timeMs - this.timeMs) | 0) <= joinGapMsMax &&
      !this.#first.matcher(bytes.toString('utf8', from, to)).find();
    this.#lineCount = isJoined ? this.#lineCount + 1 : 1;
    this.timeMs = timeMs;
    return isJoined;
  }
}

/** Rules that are kept compiled; one more, and they are made anew. */
const rulesMax = 1000;

export class RecordJoins {
  readonly #auto = forStreams(() => new LineJoin());
  readonly #others = new Map<string, readonly RecordJoin[]>();

  /** The joins of a rule, one for each stream, without an open record. Shared by all who ask. A rule must have no fault. */
  of(multiline: string): readonly RecordJoin[] {
    const joins = multiline === 'auto' ? this.#auto : this.#other(multiline);
    for (const join of joins) join.reset();
    return joins;
  }

  #other(multiline: string): readonly RecordJoin[] {
    const known = this.#others.get(multiline);
    if (known !== undefined) return known;
    if (this.#others.size >= rulesMax) this.#others.clear();
    const first = multiline === 'off' ? undefined : RE2JS.compile(multiline);
    const joins = forStreams(() => (first === undefined ? new NoJoin() : new PatternJoin(first)));
    this.#others.set(multiline, joins);
    return joins;
  }
}

function forStreams(create: () => RecordJoin): readonly RecordJoin[] {
  return Array.from({ length: streamCount }, create);
}
