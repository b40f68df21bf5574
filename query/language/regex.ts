/**
 * RE2 patterns, as Prometheus and Loki take them, as JavaScript regular expressions.
 *
 *   compileRegex('a|b')  ->  { regex: /a|b/su }      compileRegex('(?=x)')  ->  { mistake: 'error parsing ...' }
 *
 * What RE2 refuses is refused (look-around, back-references), what only RE2 knows is rewritten ((?P<n>), (?i),
 * \Q..\E, \z, [[:alpha:]], unescaped braces). `.` matches newlines, as in Prometheus.
 */
import v8 from 'node:v8';

// RE2 never backtracks. V8 does, up to a bound, and then goes on with its own linear engine where that knows the
// pattern: it knows neither counted repeats of groups nor the unicode flag, which is why that is set only if needed.
v8.setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');

export type CompiledRegex = { readonly regex: RegExp } | { readonly mistake: string };

const cacheMax = 256;
const cache = new Map<string, CompiledRegex>();

/** Compiles a pattern that may match anywhere. The mistake is worded as Go's. */
export function compileRegex(pattern: string): CompiledRegex {
  const cached = cache.get(pattern);
  if (cached !== undefined) return cached;
  const compiled = compile(pattern);
  if (cache.size >= cacheMax) cache.clear();
  cache.set(pattern, compiled);
  return compiled;
}

/** Compiles a pattern that must match the whole text. */
export function compileAnchoredRegex(pattern: string): CompiledRegex {
  const plain = compileRegex(pattern);
  return 'mistake' in plain ? plain : { regex: new RegExp(`^(?:${plain.regex.source})$`, plain.regex.flags) };
}

class RegexMistake extends Error {}

function compile(pattern: string): CompiledRegex {
  try {
    const source = new Translation(pattern).run();
    const needsUnicode = /\\[pP]\{|\\u\{|[\ud800-\udfff]/.test(source);
    return { regex: new RegExp(source, needsUnicode ? 'su' : 's') };
  } catch (error) {
    if (error instanceof RegexMistake) return { mistake: `error parsing regexp: ${error.message}` };
    if (error instanceof SyntaxError)
      return { mistake: `error parsing regexp: ${goMessage(error, pattern)}` };
    throw error;
  }
}

function goMessage(error: SyntaxError, pattern: string): string {
  const { message } = error;
  if (message.includes('Nothing to repeat')) {
    return `missing argument to repetition operator: \`${/[*+?]/.exec(pattern)?.[0] ?? pattern}\``;
  }
  if (message.includes('Unterminated group')) return `missing closing ): \`${pattern}\``;
  if (message.includes("Unmatched ')'")) return `unexpected ): \`${pattern}\``;
  if (message.includes('out of order in character class'))
    return `invalid character class range: \`${pattern}\``;
  return `${message.replace(/^.*\/[a-z]*: /s, '').toLowerCase()}: \`${pattern}\``;
}

const classNames: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const repeatMax = 1000;

class Translation {
  readonly #pattern: string;
  #position = 0;
  #out = '';
  /** Per open group, how many (?i: groups were opened inside it and must be closed with it. */
  readonly #openFlags: number[] = [0];

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  run(): string {
    while (this.#position < this.#pattern.length) this.#step();
    return this.#out + ')'.repeat(this.#openFlags[0]);
  }

  #step(): void {
    const char = this.#pattern[this.#position];
    if (char === '\\') this.#escape(false);
    else if (char === '[') this.#characterClass();
    else if (char === '(') this.#group();
    else if (char === ')') this.#closeGroup();
    else if (char === '{') this.#brace();
    else if (char === '}' || char === ']') this.#emit(`\\${char}`, 1);
    else this.#emit(char, 1);
  }

  #emit(text: string, length: number): void {
    this.#out += text;
    this.#position += length;
  }

  #rest(): string {
    return this.#pattern.slice(this.#position);
  }

  #brace(): void {
    const repeat = /^\{(\d+)(?:,(\d*))?\}/.exec(this.#rest());
    if (repeat === null) {
      this.#emit('\\{', 1);
      return;
    }
    if (Number(repeat[1]) > repeatMax || Number(repeat[2] ?? 0) > repeatMax) {
      throw new RegexMistake(`invalid repeat count: \`${repeat[0]}\``);
    }
    this.#emit(repeat[0], repeat[0].length);
  }

  #group(): void {
    const rest = this.#rest();
    if (!rest.startsWith('(?')) {
      this.#openFlags.push(0);
      this.#emit('(', 1);
      return;
    }
    const named = /^\(\?P?<([A-Za-z0-9_]+)>/.exec(rest);
    if (named !== null) {
      this.#openFlags.push(0);
      this.#emit(`(?<${named[1]}>`, named[0].length);
      return;
    }
    const flags = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])/.exec(rest);
    if (flags === null || `${flags[1]}${flags[2] ?? ''}`.includes('U')) {
      throw new RegexMistake(`invalid or unsupported Perl syntax: \`${rest.slice(0, 3)}\``);
    }
    const [whole, on, off, end] = flags;
    const opening = `(?${on}${off === undefined ? '' : `-${off}`}:`;
    // Flags without a group hold until the group around them ends.
    if (end === ')') this.#openFlags[this.#openFlags.length - 1]++;
    else this.#openFlags.push(0);
    this.#emit(opening, whole.length);
  }

  #closeGroup(): void {
    const open = this.#openFlags.length > 1 ? this.#openFlags.pop() : undefined;
    if (open === undefined) throw new RegexMistake(`unexpected ): \`${this.#pattern}\``);
    this.#emit(')'.repeat(open + 1), 1);
  }

  #characterClass(): void {
    const negated = this.#pattern[this.#position + 1] === '^';
    this.#emit(negated ? '[^' : '[', negated ? 2 : 1);
    let isFirst = true;
    for (;;) {
      const char = this.#pattern[this.#position];
      if (char === undefined) throw new RegexMistake(`missing closing ]: \`${this.#pattern}\``);
      if (char === ']' && !isFirst) {
        this.#emit(']', 1);
        return;
      }
      const named = /^\[:(\^?)([a-z]+):\]/.exec(this.#rest());
      if (named !== null) this.#namedClass(named);
      else if (char === '\\') this.#escape(true);
      else if ('[](){}/|'.includes(char)) this.#emit(`\\${char}`, 1);
      else this.#emit(char, 1);
      isFirst = false;
    }
  }

  #namedClass([whole, negation, name]: RegExpExecArray): void {
    const members = classNames[name];
    if (members === undefined || negation !== '') {
      throw new RegexMistake(`invalid character class range: \`${whole}\``);
    }
    this.#emit(members, whole.length);
  }

  #escape(inClass: boolean): void {
    const rest = this.#rest();
    const char = rest[1];
    if (char === undefined) throw new RegexMistake('trailing backslash at end of expression: ``');
    if (char === 'Q') {
      const end = rest.indexOf('\\E', 2);
      const literal = rest.slice(2, end === -1 ? undefined : end);
      this.#emit(literal.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&'), end === -1 ? rest.length : end + 2);
      return;
    }
    const whole = /^\\(?:x\{[0-9a-fA-F]{1,6}\}|x[0-9a-fA-F]{2}|[pP]\{\^?\w+\}|[pP]\w|0[0-7]{0,2})/.exec(
      rest,
    )?.[0];
    if (whole !== undefined) {
      this.#emit(translateLong(whole), whole.length);
      return;
    }
    const simple = inClass ? classEscapes[char] : escapes[char];
    if (simple !== undefined) {
      this.#emit(simple, 2);
      return;
    }
    if (/[A-Za-z0-9]/.test(char)) throw new RegexMistake(`invalid escape sequence: \`\\${char}\``);
    this.#emit(/[\\^$.*+?()[\]{}|/-]/.test(char) && (char !== '-' || inClass) ? `\\${char}` : char, 2);
  }
}

const commonEscapes = {
  a: '\\x07',
  f: '\\f',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
  d: '\\d',
  D: '\\D',
  w: '\\w',
  W: '\\W',
};
const escapes: Readonly<Record<string, string>> = {
  ...commonEscapes,
  s: '[\\t\\n\\f\\r ]',
  S: '[^\\t\\n\\f\\r ]',
  b: '\\b',
  B: '\\B',
  A: '^',
  z: '$',
};
const classEscapes: Readonly<Record<string, string>> = { ...commonEscapes, s: '\\t\\n\\f\\r ' };

function translateLong(text: string): string {
  if (text.startsWith('\\x{')) return hexEscape(Number.parseInt(text.slice(3, -1), 16));
  if (text.startsWith('\\0')) return hexEscape(Number.parseInt(text.slice(1), 8));
  if (!/^\\[pP]/.test(text)) return text;
  const name = text.replace(/^\\[pP]\{?\^?/, '').replace('}', '');
  const isNegated = text.startsWith('\\P') !== text.includes('^');
  const property = /^[A-Z][a-z]?$/.test(name) ? name : `Script=${name}`;
  return `\\${isNegated ? 'P' : 'p'}{${property}}`;
}

function hexEscape(codePoint: number): string {
  const hex = codePoint.toString(16);
  return codePoint > 0xffff ? `\\u{${hex}}` : `\\u${hex.padStart(4, '0')}`;
}
