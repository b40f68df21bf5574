/**
 * Fields of a body that is logfmt: all values are texts.
 *
 *   level=info user.id=7 msg="it is \"paid\""  ->  level 'info', user.id '7', msg 'it is "paid"'
 *
 * A line that does not begin with a pair is not logfmt; words between pairs are passed over.
 */
import { equals, nameEnd, quote, skipSpace, stringEnd, textEnd } from '#wire/json/json-bytes.ts';
import { type ByteSource, ByteWriter } from '#wire/protobuf/byte-writer.ts';
import { unescapeJson } from '../../logs/frame/json-unescape.ts';
import { type FieldSink, setName } from './field-sink.ts';

// logfmt => (space* (name '=' (string | text)? | text))*      string => '"' ... '"'      text => (byte above a space)*
export class LogfmtFields {
  readonly #text = new ByteWriter(256);
  readonly #name = new ByteWriter(256);

  /** False: the text is not logfmt, and what the sink was told is worth nothing. */
  read(source: ByteSource, from: number, to: number, sink: FieldSink): boolean {
    const { bytes } = source;
    const start = skipSpace(bytes, from, to);
    let at = start;
    while (at < to) {
      const nameFrom = at;
      const nameTo = nameEnd(source, at, to);
      if (nameTo > nameFrom && nameTo < to && bytes[nameTo] === equals) {
        at = this.#readPair(source, nameFrom, nameTo, to, sink);
        if (at === -1) return false;
      } else if (nameFrom === start) return false;
      else at = Math.max(textEnd(source, nameTo, to), nameFrom + 1);
      at = skipSpace(bytes, at, to);
    }
    return start < to;
  }

  /** Returns the position behind the pair's value; -1 where its quotes do not end. */
  #readPair(source: ByteSource, nameFrom: number, nameTo: number, to: number, sink: FieldSink): number {
    const from = nameTo + 1;
    const name = this.#name;
    setName(name, source, nameFrom, nameTo);
    if (from >= to || source.bytes[from] !== quote) {
      const valueTo = textEnd(source, from, to);
      sink.text(name, source, from, valueTo);
      return valueTo;
    }
    const found = stringEnd(source, from + 1, to);
    const close = found < 0 ? ~found : found;
    if (close >= to) return -1;
    if (found >= 0) sink.text(name, source, from + 1, close);
    else {
      const text = this.#text;
      text.clear();
      // An escape that JSON does not have (Go's \x..): the value stays as it is written.
      if (unescapeJson(source, from + 1, to, text) === -1) sink.text(name, source, from + 1, close);
      else sink.text(name, text, 0, text.position);
    }
    return close + 1;
  }
}
