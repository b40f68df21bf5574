/**
 * Quoted text as Go writes it: "..." and '...' with escapes on one line, `...` raw.
 *
 *   unquote('"a\\n\\x41\\u00e9"')  ->  'a\nAé'        quoteText('a"b')  ->  '"a\\"b"'
 *
 * Go strings are bytes and ours are UTF-16: bytes given as \x or octal escapes are read as UTF-8, broken ones
 * become U+FFFD.
 */

/** `end` is just past the closing quote; without it the string is unterminated, or `mistake` says what is wrong. */
export interface ScannedString {
  readonly end?: number;
  readonly mistake?: string;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
};

/** Finds the end of the string that opens at `start`, and refuses escapes that Go does not know. */
export function scanQuoted(text: string, start: number): ScannedString {
  const quote = text[start];
  let position = start + 1;
  for (;;) {
    const char = text[position];
    if (char === undefined || (quote !== '`' && char === '\n')) return {};
    if (char === quote) return { end: position + 1 };
    if (char === '\ufffd' || isLoneSurrogate(text, position)) return { mistake: 'invalid UTF-8 rune' };
    if (char !== '\\' || quote === '`') {
      position++;
      continue;
    }
    const sequence = readEscape(text, position, quote);
    if ('mistake' in sequence) return { mistake: sequence.mistake };
    position = sequence.end;
  }
}

/** Returns what a string token says. It must have passed scanQuoted. */
export function unquote(token: string): string {
  const quote = token[0];
  const body = token.slice(1, -1);
  // Go drops carriage returns from raw strings.
  if (quote === '`') return body.replaceAll('\r', '');
  if (!body.includes('\\')) return body;
  let out = '';
  let bytes: number[] = [];
  let position = 1;
  while (position < token.length - 1) {
    const sequence = token[position] === '\\' ? readEscape(token, position, quote) : undefined;
    if (sequence !== undefined && 'byte' in sequence && sequence.byte !== undefined) {
      bytes.push(sequence.byte);
      position = sequence.end;
      continue;
    }
    if (bytes.length > 0) {
      out += Buffer.from(bytes).toString('utf8');
      bytes = [];
    }
    if (sequence === undefined) out += token[position++];
    else {
      if ('mistake' in sequence) throw new Error(`BUG: ${sequence.mistake} in a scanned string`);
      out += sequence.text;
      position = sequence.end;
    }
  }
  return bytes.length > 0 ? out + Buffer.from(bytes).toString('utf8') : out;
}

type Escape = { end: number; text: string; byte?: number } | { mistake: string };

function readEscape(text: string, position: number, quote: string): Escape {
  const char = text[position + 1];
  if (char === undefined) return { mistake: 'escape sequence not terminated' };
  if (char === quote) return { end: position + 2, text: quote };
  const simple = simpleEscapes[char];
  if (simple !== undefined) return { end: position + 2, text: simple };
  if (char >= '0' && char <= '7') return readDigits(text, position + 1, 3, 8);
  if (char === 'x') return readDigits(text, position + 2, 2, 16);
  if (char === 'u') return readDigits(text, position + 2, 4, 16);
  if (char === 'U') return readDigits(text, position + 2, 8, 16);
  return { mistake: `unknown escape sequence ${unicodeName(text, position + 1)}` };
}

function readDigits(text: string, start: number, count: number, base: 8 | 16): Escape {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const char = text[i];
    if (char === undefined) return { mistake: 'escape sequence not terminated' };
    const digit = /[0-9a-fA-F]/.test(char) ? Number.parseInt(char, 16) : 16;
    if (digit >= base) return { mistake: `illegal character ${unicodeName(text, i)} in escape sequence` };
    value = value * base + digit;
  }
  const end = start + count;
  const isByte = count < 4;
  const isInvalid = isByte ? value > 255 : value > 0x10ffff || (value >= 0xd800 && value < 0xe000);
  if (isInvalid) return { mistake: 'escape sequence is an invalid Unicode code point' };
  return isByte ? { end, text: '', byte: value } : { end, text: String.fromCodePoint(value) };
}

/** Go's %#U: U+0067 'g'. */
function unicodeName(text: string, position: number): string {
  const codePoint = text.codePointAt(position) ?? 0;
  const hex = codePoint.toString(16).toUpperCase().padStart(4, '0');
  const char = String.fromCodePoint(codePoint);
  return isPrintable(char) ? `U+${hex} '${char}'` : `U+${hex}`;
}

function isLoneSurrogate(text: string, position: number): boolean {
  const code = text.charCodeAt(position);
  if (code >= 0xd800 && code < 0xdc00) {
    const next = text.charCodeAt(position + 1);
    return !(next >= 0xdc00 && next < 0xe000);
  }
  if (code >= 0xdc00 && code < 0xe000) {
    const before = text.charCodeAt(position - 1);
    return !(before >= 0xd800 && before < 0xdc00);
  }
  return false;
}

function isPrintable(char: string): boolean {
  return char === ' ' || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(char);
}

/** Writes text as Go's %q does, in double quotes. */
export function quoteText(text: string): string {
  return `"${escapeText(text, '"')}"`;
}

/** Writes the character at `position` as Go's %q does for a rune, in single quotes. */
export function quoteChar(text: string, position: number): string {
  const codePoint = text.codePointAt(position);
  // Go's lexers return -1 at the end of input, which %q prints as the replacement character.
  return codePoint === undefined ? "'\ufffd'" : `'${escapeText(String.fromCodePoint(codePoint), "'")}'`;
}

const namedEscapes: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
};

function escapeText(text: string, quote: string): string {
  let out = '';
  for (const char of text) {
    if (char === quote) out += `\\${quote}`;
    else if (namedEscapes[char] !== undefined) out += namedEscapes[char];
    // U+FFFD stands for bytes that are no UTF-8; written as itself it would not be read again.
    else if (isPrintable(char) && char !== '\ufffd') out += char;
    else out += escapeCodePoint(char.codePointAt(0) ?? 0);
  }
  return out;
}

function escapeCodePoint(codePoint: number): string {
  if (codePoint < 0x80) return `\\x${codePoint.toString(16).padStart(2, '0')}`;
  if (codePoint < 0x10000) return `\\u${codePoint.toString(16).padStart(4, '0')}`;
  return `\\U${codePoint.toString(16).padStart(8, '0')}`;
}
