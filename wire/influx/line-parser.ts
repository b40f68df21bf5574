/**
 * Reads InfluxDB's line protocol point by point; what it read is in its fields until the next call.
 *
 *   cpu,host=a usage=0.5,cores=4i,note="x" 1700000000000000000
 *     ->  head 'cpu,host=a', fields usage=0.5 cores=4 note (text), time '1700000000000000000'
 *
 *   line  => head ' '+ field (',' field)* (' '+ time)? ' '* newline
 *   field => key '=' (number | digit+ ('i' | 'u') | boolean | '"' text '"')
 *
 * A backslash takes what is special away from the character behind it. A line that is not like that is a fault, and
 * reading goes on behind its end.
 */

export interface Field {
  /** As written, with its escapes. */
  readonly key: string;
  /** undefined for text. */
  readonly value: number | undefined;
}

const space = 0x20;
const newline = 0x0a;
const carriageReturn = 0x0d;
const comma = 0x2c;
const equals = 0x3d;
const quote = 0x22;
const backslash = 0x5c;
const hash = 0x23;

/** Longest part of a line that a fault repeats. */
const excerptLengthMax = 80;

const unbalanced = 'unbalanced quotes';

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const integerPattern = /^[+-]?\d+[iu]$/;
const booleans = new Map([
  ...['t', 'T', 'true', 'True', 'TRUE'].map((word) => [word, 1] as const),
  ...['f', 'F', 'false', 'False', 'FALSE'].map((word) => [word, 0] as const),
]);

export class LineParser {
  /** Why the line is not one; '' where it is. */
  fault = '';
  lineNumber = 0;
  /** Measurement and tags as written. */
  head = '';
  fields: Field[] = [];
  /** Decimal digits, '' where the line has none. */
  time = '';
  readonly #bytes: Buffer;
  #position = 0;
  #nextLineNumber = 1;

  /** `bytes` must be UTF-8. */
  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  /** Reads the next line that is neither empty nor a comment. Returns false at the end. */
  next(): boolean {
    const bytes = this.#bytes;
    for (;;) {
      while (bytes[this.#position] === space || bytes[this.#position] === carriageReturn) this.#position++;
      const byte = bytes[this.#position];
      if (byte === undefined) return false;
      if (byte !== newline && byte !== hash) break;
      this.#endLine();
    }
    this.lineNumber = this.#nextLineNumber;
    const start = this.#position;
    this.fields = [];
    this.time = '';
    this.fault = this.#readLine();
    if (this.fault === unbalanced) {
      // The text would have gone on to the end: what follows are lines of their own. There is no quote in them.
      this.#position = start;
      this.#nextLineNumber = this.lineNumber;
    }
    if (this.fault !== '') {
      const end = bytes.indexOf(newline, start);
      const line = bytes.toString('utf8', start, end === -1 ? bytes.length : end).trimEnd();
      const excerpt = line.length > excerptLengthMax ? `${line.slice(0, excerptLengthMax)}...` : line;
      this.fault = `unable to parse '${excerpt}': ${this.fault}`;
    }
    this.#endLine();
    return true;
  }

  /** Returns a fault, or ''. */
  #readLine(): string {
    const start = this.#position;
    this.#skipTo();
    this.head = this.#slice(start);
    if (this.#bytes[this.#position] !== space) return 'missing fields';
    this.#skipSpaces();
    for (;;) {
      const fault = this.#readField();
      if (fault !== '') return fault;
      if (this.#bytes[this.#position] !== comma) break;
      this.#position++;
    }
    this.#skipSpaces();
    const timeStart = this.#position;
    this.#skipTo();
    this.time = this.#slice(timeStart);
    if (!/^-?\d*$/.test(this.time) || this.time === '-') return 'bad timestamp';
    this.#skipSpaces();
    return this.#isLineEnd() ? '' : 'something follows the timestamp';
  }

  #readField(): string {
    const bytes = this.#bytes;
    const start = this.#position;
    for (; bytes[this.#position] !== equals; this.#position++) {
      const byte = bytes[this.#position];
      if (byte === undefined || byte === newline || byte === space || byte === comma) {
        return this.#position === start ? 'missing fields' : 'missing field value';
      }
      if (byte === backslash && bytes[this.#position + 1] !== newline) this.#position++;
    }
    const key = this.#slice(start);
    if (key === '') return 'missing field key';
    this.#position++;
    if (bytes[this.#position] === quote) return this.#readTextValue(key);
    const valueStart = this.#position;
    this.#skipTo(comma);
    const text = this.#slice(valueStart);
    const value = parseValue(text);
    if (value === undefined) return text === '' ? 'missing field value' : `invalid value of field "${key}"`;
    this.fields.push({ key, value });
    return '';
  }

  /** Text may have newlines in it. */
  #readTextValue(key: string): string {
    const bytes = this.#bytes;
    for (this.#position++; bytes[this.#position] !== quote; this.#position++) {
      const byte = bytes[this.#position];
      if (byte === undefined) return unbalanced;
      if (byte === newline) this.#nextLineNumber++;
      else if (byte === backslash && bytes[this.#position + 1] !== newline) this.#position++;
    }
    this.#position++;
    this.fields.push({ key, value: undefined });
    return this.#isLineEnd() || bytes[this.#position] === comma || bytes[this.#position] === space
      ? ''
      : `something follows the value of field "${key}"`;
  }

  /** Goes to the first space, newline or `stop` that no backslash escapes, or to the end. */
  #skipTo(stop = newline): void {
    const bytes = this.#bytes;
    for (; this.#position < bytes.length; this.#position++) {
      const byte = bytes[this.#position]!;
      if (byte === space || byte === newline || byte === stop) return;
      if (byte === backslash && bytes[this.#position + 1] !== newline) this.#position++;
    }
    this.#position = bytes.length;
  }

  #skipSpaces(): void {
    while (this.#bytes[this.#position] === space) this.#position++;
  }

  /** The text from `start` on, without the carriage return of a line end. */
  #slice(start: number): string {
    const end = this.#position;
    const isReturn = end > start && this.#bytes[end - 1] === carriageReturn && this.#isLineEnd();
    return this.#bytes.toString('utf8', start, isReturn ? end - 1 : end);
  }

  #isLineEnd(): boolean {
    const byte = this.#bytes[this.#position];
    return byte === undefined || byte === newline || byte === carriageReturn;
  }

  #endLine(): void {
    const end = this.#bytes.indexOf(newline, this.#position);
    this.#position = end === -1 ? this.#bytes.length : end + 1;
    this.#nextLineNumber++;
  }
}

function parseValue(text: string): number | undefined {
  const isInteger = integerPattern.test(text);
  if (!isInteger && !numberPattern.test(text)) return booleans.get(text);
  const value = Number(isInteger ? text.slice(0, -1) : text);
  return Number.isFinite(value) ? value : undefined;
}
