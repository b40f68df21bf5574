/**
 * The letters of a topic, newest first, each once and with what became of it.
 *
 * Partitions are read backwards, some records at a time, and merged by time: a mark is met before the letter that it is
 * of, and the last repeat of a letter before the others. What is kept are ids, up to a bound, and never a body.
 */
import { type LetterFacts, parseLetter, parseMark } from './letter.ts';
import type { PartitionRange, TopicReader } from './topic-reader.ts';

export interface Letter extends LetterFacts {
  /** Where it was sent again; undefined where it was not. */
  readonly replayedTo: string | undefined;
}

export interface LetterFilter {
  /** A part of the reason, in any case. */
  readonly reason?: string | undefined;
  readonly tenant?: string | undefined;
  readonly sourceTopic?: string | undefined;
  /** Milliseconds since 1970: written at or after, and before. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Offsets of one partition of the topic of letters, both included. */
  readonly range?: { readonly partition: number; readonly first: number; readonly last: number } | undefined;
  readonly isReplayed?: boolean | undefined;
  /** Those that come after this one, which need not be wanted itself: the next page. */
  readonly before?: LetterPosition | undefined;
}

type LetterPosition = Pick<LetterFacts, 'partition' | 'offset' | 'writtenMs'>;

export interface ListingBounds {
  /** Records that are read at a time. */
  readonly windowRecords: number;
  /** Ids of letters, and of marks, that are remembered. */
  readonly idsMax: number;
}

export const listingBounds: ListingBounds = { windowRecords: 200, idsMax: 500_000 };

/**
 * Yields the letters that `filter` lets through. Where more than idsMax letters are read, `onOverflow` is called once: from
 * there on repeats may be yielded, and letters that were replayed look as if they were not.
 */
export async function* readLetters(
  reader: TopicReader,
  filter: LetterFilter,
  onOverflow: () => void,
  bounds: ListingBounds = listingBounds,
): AsyncGenerator<Letter> {
  const seen = new BoundedIds(bounds.idsMax, onOverflow);
  const marks = new Map<string, string>();
  const mark = (letterId: string, replayedTo: string): void => {
    if (marks.has(letterId)) return;
    if (marks.size < bounds.idsMax) marks.set(letterId, replayedTo);
    else seen.overflow();
  };
  const heads: { letter: LetterFacts; rest: AsyncGenerator<LetterFacts> }[] = [];
  for (const range of await rangesOf(reader, filter)) {
    const rest = backwards(reader, range, bounds.windowRecords, mark);
    const first = await rest.next();
    if (first.done !== true) heads.push({ letter: first.value, rest });
  }
  while (heads.length > 0) {
    const newest = heads.reduce((best, head) => (isNewer(head.letter, best.letter) ? head : best));
    const { letter } = newest;
    if (seen.add(letter.id)) {
      const whole: Letter = { ...letter, replayedTo: marks.get(letter.id) };
      if (isWanted(whole, filter)) yield whole;
    }
    const next = await newest.rest.next();
    if (next.done === true) heads.splice(heads.indexOf(newest), 1);
    else newest.letter = next.value;
  }
}

/** The partitions to read, from the first offset that is of interest to the end: marks are behind their letters. */
async function rangesOf(
  reader: TopicReader,
  { sinceMs, range }: LetterFilter,
): Promise<readonly PartitionRange[]> {
  const ranges: PartitionRange[] = [];
  for (const each of reader.ranges) {
    if (range !== undefined && range.partition !== each.partition) continue;
    let { start } = each;
    if (sinceMs !== undefined) start = await reader.offsetAt(each, sinceMs);
    if (range !== undefined) start = Math.max(start, range.first);
    if (start < each.end) ranges.push({ ...each, start });
  }
  return ranges;
}

async function* backwards(
  reader: TopicReader,
  { partition, start, end }: PartitionRange,
  windowRecords: number,
  mark: (letterId: string, replayedTo: string) => void,
): AsyncGenerator<LetterFacts> {
  for (let to = end; to > start; ) {
    const from = Math.max(start, to - windowRecords);
    const letters: LetterFacts[] = [];
    await reader.read(partition, from, to, (record) => {
      const marked = parseMark(record);
      if (marked !== undefined) mark(marked.letterId, marked.replayedTo);
      const letter = parseLetter(partition, record);
      if (letter !== undefined) letters.push(letter);
    });
    yield* letters.reverse();
    to = from;
  }
}

function isNewer(a: LetterPosition, b: LetterPosition): boolean {
  if (a.writtenMs !== b.writtenMs) return a.writtenMs > b.writtenMs;
  return a.partition === b.partition ? a.offset > b.offset : a.partition < b.partition;
}

function isWanted(letter: Letter, filter: LetterFilter): boolean {
  const { reason, tenant, sourceTopic, sinceMs, untilMs, range, isReplayed, before } = filter;
  return (
    (before === undefined || isNewer(before, letter)) &&
    (reason === undefined || letter.reason.toLowerCase().includes(reason.toLowerCase())) &&
    (tenant === undefined || letter.tenant === tenant) &&
    (sourceTopic === undefined || letter.source.topic === sourceTopic) &&
    (sinceMs === undefined || letter.writtenMs >= sinceMs) &&
    (untilMs === undefined || letter.writtenMs < untilMs) &&
    (range === undefined || (letter.offset >= range.first && letter.offset <= range.last)) &&
    (isReplayed === undefined || (letter.replayedTo !== undefined) === isReplayed)
  );
}

class BoundedIds {
  readonly #ids = new Set<string>();
  readonly #max: number;
  readonly #onOverflow: () => void;
  #isOver = false;

  constructor(max: number, onOverflow: () => void) {
    this.#max = max;
    this.#onOverflow = onOverflow;
  }

  /** Returns whether the id is new, as far as is remembered. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    if (this.#ids.size < this.#max) this.#ids.add(id);
    else this.overflow();
    return true;
  }

  overflow(): void {
    if (!this.#isOver) this.#onOverflow();
    this.#isOver = true;
  }
}
