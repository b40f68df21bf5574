/**
 * The lines of a page that say what was expected there: a series that stood behind the same one last time, a space, and a
 * number of few digits. Nearly all lines of a page that is scraped again are such, so they are read in one loop.
 *
 *   read(...) -> the place of the first line that is something else; `previous` and the samples say what was read
 */
import { plainNumber, readPlainNumber } from './number-text.ts';
import type { PageSamples } from './page-samples.ts';
import type { PageTexts } from './page-texts.ts';

const newline = 10;
const space = 32;
/** Bytes that a space, a number and its newline may take: less need not be asked for the end of the page. */
const restBytesMax = 32;

export class KnownLines {
  /** The text that was read last, or -1. */
  previous = -1;
  /** Samples that were read: those of series that relabeling drops are not among the page's samples. */
  count = 0;

  /**
   * Reads lines from `start` on, where one begins, after the text `previous`, or with `first` where that is -1. Takes at
   * most `countMax` samples. Returns where the next line begins.
   */
  read(
    page: Uint8Array,
    view: DataView,
    start: number,
    texts: PageTexts,
    first: number,
    samples: PageSamples,
    countMax: number,
  ): number {
    const { after, series, groups } = texts;
    const { arenaView, ends } = texts.bytes;
    const hasGroups = groups.length > 0;
    let { previous } = this;
    let count = 0;
    let line = start;
    while (count < countMax) {
      const text = previous < 0 ? first : after[previous]!;
      if (text < 0 || series[text]! < 0) break;
      const from = ends[text]!;
      const textEnd = line + ends[text + 1]! - from;
      if (textEnd + restBytesMax > page.length || page[textEnd] !== space) break;
      let own = from;
      let at = line;
      let difference = 0;
      // Without a branch for each word: the texts are mostly the same.
      for (; at + 16 <= textEnd; at += 16, own += 16) {
        difference |=
          (view.getInt32(at, true) ^ arenaView.getInt32(own, true)) |
          (view.getInt32(at + 4, true) ^ arenaView.getInt32(own + 4, true)) |
          (view.getInt32(at + 8, true) ^ arenaView.getInt32(own + 8, true)) |
          (view.getInt32(at + 12, true) ^ arenaView.getInt32(own + 12, true));
      }
      for (; at + 4 <= textEnd; at += 4, own += 4) {
        difference |= view.getInt32(at, true) ^ arenaView.getInt32(own, true);
      }
      for (; at < textEnd; at++, own++) difference |= page[at]! ^ arenaView.getUint8(own);
      if (difference !== 0) break;

      const value = readPlainNumber(page, textEnd + 1);
      at = plainNumber.end;
      if (at < 0 || page[at] !== newline) break;
      samples.add(series[text]!, value, Number.NaN, hasGroups ? -1 - groups[text]! : 0);
      count++;
      previous = text;
      line = at + 1;
    }
    this.previous = previous;
    this.count = count;
    return line;
  }
}
