/**
 * Regular expressions (RE2) over bytes of a log record, with the common ones done without the expression.
 *
 *   'GET /healthz'            a text: found by skipping bytes, some 20 ns in a line of 130
 *   '^DEBUG', 'x$', '^ok$'    a text at a fixed place
 *   'timeout|refused'         a few texts, one after the other
 *   'order \d+ of'            its longest text is looked for first; only lines that have it cost the expression: 1 us
 *   '(?i)timeout'             the expression for each line
 *
 * Positions that are returned are byte offsets at the boundaries of characters.
 */
import { RE2JS } from 're2js';
import type { ByteSource } from '#wire/protobuf/byte-writer.ts';
import { LiteralSearch } from './literal-search.ts';
import { patternTexts, requiredText } from './pattern-texts.ts';

/** An expression longer than this is no rule for a line. */
export const patternCharsMax = 4096;

/** Where a pattern, or a group of it, was found: [from, to). */
export interface ByteMatch {
  from: number;
  to: number;
}

export class BytePattern {
  readonly #regex: RE2JS;
  /** Undefined: only the expression itself can say. */
  readonly #texts: readonly LiteralSearch[] | undefined;
  /** Each match has this text in it. */
  readonly #required: LiteralSearch | undefined;

  /** Throws RE2JSException for what is no RE2 expression. */
  constructor(pattern: string) {
    this.#regex = RE2JS.compile(pattern);
    this.#texts = patternTexts(pattern)?.map((text) => new LiteralSearch(text));
    const required = this.#texts === undefined ? requiredText(pattern) : '';
    this.#required =
      required === '' ? undefined : new LiteralSearch({ text: required, isStart: false, isEnd: false });
  }

  /** Names of the groups, and their numbers. */
  get groups(): ReadonlyMap<string, number> {
    return new Map(Object.entries(this.#regex.namedGroups()));
  }

  get groupCount(): number {
    return this.#regex.groupCount();
  }

  /** Whether source.bytes[from, to) has a match. */
  test({ bytes }: ByteSource, from: number, to: number): boolean {
    if (this.#texts !== undefined) {
      for (const text of this.#texts) if (text.find(bytes, from, to) !== -1) return true;
      return false;
    }
    if (this.#required !== undefined && this.#required.find(bytes, from, to) === -1) return false;
    return this.#regex.test(bytes.subarray(from, to));
  }

  /**
   * Calls `take` for each match from the first to the last, with the places of group 0 up to groupCount; a group that took
   * no part has from -1. `places` is reused. `take` returns false to stop.
   */
  forEach(
    source: ByteSource,
    from: number,
    to: number,
    take: (places: readonly ByteMatch[]) => boolean,
  ): void {
    if (!this.test(source, from, to)) return;
    const matcher = this.#regex.matcher(source.bytes.subarray(from, to));
    const places = Array.from({ length: this.groupCount + 1 }, () => ({ from: -1, to: -1 }));
    while (matcher.find()) {
      for (const [group, place] of places.entries()) {
        const start = matcher.start(group);
        place.from = start < 0 ? -1 : from + start;
        place.to = start < 0 ? -1 : from + matcher.end(group);
      }
      if (!take(places)) return;
    }
  }
}
