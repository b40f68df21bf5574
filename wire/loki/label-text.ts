/**
 * The labels of a pushed stream, in their text form.
 *
 *   {app="shop", path=`C:\tmp`}  ->  [['app', 'shop'], ['path', 'C:\tmp']]
 *
 *   labels => '{' (pair (',' pair)* ','?)? '}'     pair => name '=' value     value => "..." with Go's escapes | `...`
 */
import { DecodeError } from '#model/errors.ts';

const space = /[ \t\r\n]*/y;
const labelName = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const wholeLabelName = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const rawValue = /`([^`]*)`/y;
const quotedValue = /"((?:[^"\\\n]|\\[^\n])*)"/y;
const goEscape = /\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|.)/g;

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

export type StreamLabels = readonly (readonly [name: string, value: string])[];

/** Some hundred labels of the longest kind that Loki takes. */
const labelTextLengthMax = 256 * 1024;

/** Throws DecodeError with the character position. */
export function parseLabelText(text: string): StreamLabels {
  if (text.length > labelTextLengthMax) {
    throw new DecodeError(`labels are longer than ${labelTextLengthMax} characters`, labelTextLengthMax);
  }
  const labels: [string, string][] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match !== null) position = pattern.lastIndex;
    return match;
  };
  const takeMark = (mark: string): boolean => {
    take(space);
    if (text[position] !== mark) return false;
    position++;
    return true;
  };
  if (!takeMark('{')) throw new DecodeError('labels must begin with "{"', position);
  while (!takeMark('}')) {
    if (labels.length > 0 && !takeMark(',')) throw new DecodeError('expected "," or "}"', position);
    if (labels.length > 0 && takeMark('}')) break;
    take(space);
    const name = take(labelName)?.[0];
    if (name === undefined) throw new DecodeError('expected a label name', position);
    if (!takeMark('=')) throw new DecodeError('expected "="', position);
    take(space);
    const start = position;
    const value = take(rawValue)?.[1] ?? undoEscapes(take(quotedValue)?.[1], start);
    labels.push([name, value]);
  }
  take(space);
  if (position < text.length) throw new DecodeError('expected the end of the labels', position);
  return labels;
}

/** Returns why a stream may not have these labels; '' where it may. */
export function labelsFault(labels: StreamLabels): string {
  if (labels.length === 0) return 'at least one label pair is required per stream';
  const names = new Set<string>();
  for (const [name] of labels) {
    if (!wholeLabelName.test(name)) return `"${name}" is not a label name`;
    if (names.has(name)) return `the label "${name}" is there twice`;
    names.add(name);
  }
  return '';
}

/** Go's escapes; those of single bytes (\x, octal) must make UTF-8 together, so they are undone as bytes. */
function undoEscapes(value: string | undefined, start: number): string {
  if (value === undefined) throw new DecodeError('expected a quoted label value', start);
  if (!value.includes('\\')) return value;
  const parts: Buffer[] = [];
  let end = 0;
  for (const match of value.matchAll(goEscape)) {
    parts.push(Buffer.from(value.slice(end, match.index)), undoEscape(match, start));
    end = match.index + match[0].length;
  }
  parts.push(Buffer.from(value.slice(end)));
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(parts));
  } catch (error) {
    if (error instanceof TypeError) throw new DecodeError('a label value is not valid UTF-8', start);
    throw error;
  }
}

function undoEscape(
  [whole, simple, hex, unicode, longUnicode, octal]: RegExpExecArray,
  start: number,
): Buffer {
  if (simple !== undefined) return Buffer.from(simpleEscapes[simple]!);
  const byte = hex === undefined ? Number.parseInt(octal ?? '', 8) : Number.parseInt(hex, 16);
  if (byte <= 0xff) return Buffer.of(byte);
  const code = Number.parseInt(unicode ?? longUnicode ?? '', 16);
  if (code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)) return Buffer.from(String.fromCodePoint(code));
  throw new DecodeError(`a label value has an escape that is not known: ${whole}`, start);
}
