/**
 * Cuts a query's text into tokens. The language says what a token may be, per context, as a table.
 *
 *   scanTokens('sum(x) # all', promqlRules)  ->  word "sum", operator "(", word "x", operator ")", end ""
 *
 * A mistake becomes one last token of kind 'error' whose text is the language's own sentence: the parser meets it
 * where it stands, so that an earlier mistake of grammar is reported first. Positions are UTF-16 offsets.
 */
import { ParseError } from './parse-error.ts';
import { scanQuoted } from './quoted-string.ts';

export type TokenKind =
  | 'word'
  | 'string'
  | 'number'
  | 'duration'
  | 'bytes'
  | 'operator'
  | 'comment'
  | 'end'
  | 'error';

export interface Token {
  readonly kind: TokenKind;
  /** As written (strings with their quotes); for an error its message, for the end ''. */
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** What a number-like run of characters turned out to be; `message` is set where it is a mistake. */
export interface Quantity {
  readonly kind: 'number' | 'duration' | 'bytes' | 'error';
  readonly end: number;
  readonly message?: string;
}

/** The tokens that are allowed at one place: outside, between braces, between brackets. */
export interface ScanContext {
  /** Where one operator is the beginning of another, the longer one must come first. */
  readonly operators: readonly string[];
  /** Sequences that begin like an operator but are a mistake here: `refuse` names them. */
  readonly refused?: readonly string[];
  /** Operators that lead to another context, by its name. */
  readonly leadsTo?: Readonly<Record<string, string>>;
  /** The context after a number, a duration or a size, where it is another one. */
  readonly afterQuantity?: string;
  /** 'colons': letters, digits, _ and colons; 'plain': no colons; a set: only these words (lower case). */
  readonly words: 'colons' | 'plain' | ReadonlySet<string>;
  readonly hasStrings: boolean;
  readonly hasQuantities: boolean;
  readonly hasComments: boolean;
  /** The message where the text ends in this context; undefined where it may end. */
  readonly unclosed?: string;
  /** Whether open parentheses are complained of before that. */
  readonly parenthesesFirst?: boolean;
  /** Characters whose refusal has its place after them. */
  readonly refusedAfter?: string;
  /** The message for the character at `position`, which begins no token here. */
  readonly refuse: (text: string, position: number) => string;
}

export interface ScanRules {
  /** The first is where the text begins. */
  readonly contexts: Readonly<Record<string, ScanContext>>;
  readonly contextFirst: string;
  /** Reads the number, duration or size that begins at `position` (a digit, or a dot before a digit). */
  readonly quantity: (text: string, position: number) => Quantity;
  readonly messages: {
    readonly unterminatedString: string;
    readonly unterminatedRawString: string;
    /** Set both where the scanner must count parentheses. */
    readonly unopenedParenthesis?: string;
    readonly unclosedParenthesis?: string;
  };
}

/** Longer texts are refused before they are scanned: two hundred times a large dashboard query. */
export const queryLengthMax = 262_144;

/** Returns the tokens; the last one is of kind 'end' or 'error'. Throws ParseError on a text over queryLengthMax. */
export function scanTokens(text: string, rules: ScanRules): Token[] {
  if (text.length > queryLengthMax) {
    throw new ParseError(
      `the query is longer than ${queryLengthMax} characters`,
      queryLengthMax,
      text.length,
    );
  }
  const tokens: Token[] = [];
  const scanner = new Scanner(text, rules);
  for (;;) {
    const token = scanner.next();
    if (token.kind === 'comment') continue;
    tokens.push(token);
    if (token.kind === 'end' || token.kind === 'error') return tokens;
  }
}

export function isSpace(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r';
}

export function isDigit(char: string): boolean {
  return char >= '0' && char <= '9' && char.length === 1;
}

/** A letter of ASCII or an underscore. */
export function isAlpha(char: string): boolean {
  return char.length === 1 && (char === '_' || (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z'));
}

class Scanner {
  readonly #text: string;
  readonly #rules: ScanRules;
  #context: ScanContext;
  #position = 0;
  #parenthesisDepth = 0;

  constructor(text: string, rules: ScanRules) {
    this.#text = text;
    this.#rules = rules;
    this.#context = rules.contexts[rules.contextFirst];
  }

  next(): Token {
    const text = this.#text;
    while (isSpace(text.charAt(this.#position))) this.#position++;
    const start = this.#position;
    const char = text.charAt(start);
    const context = this.#context;
    if (char === '') return this.#end();
    if (char === '#' && context.hasComments) return this.#comment(start);
    if (context.hasStrings && (char === '"' || char === "'" || char === '`'))
      return this.#string(start, char);
    if (context.hasQuantities && (isDigit(char) || (char === '.' && isDigit(text.charAt(start + 1))))) {
      return this.#quantity(start);
    }
    if (isAlpha(char) || (char === ':' && context.words === 'colons')) return this.#word(start);
    if (context.refused?.some((sequence) => text.startsWith(sequence, start))) {
      return this.#error(context.refuse(text, start), start);
    }
    for (const operator of context.operators) {
      if (text.startsWith(operator, start)) return this.#operator(start, operator);
    }
    const place = context.refusedAfter?.includes(char) ? start + 1 : start;
    return this.#error(context.refuse(text, start), place);
  }

  #end(): Token {
    const length = this.#text.length;
    const { unclosedParenthesis } = this.#rules.messages;
    const parenthesis = this.#parenthesisDepth > 0 ? unclosedParenthesis : undefined;
    const { unclosed: ofContext, parenthesesFirst = false } = this.#context;
    const unclosed = parenthesesFirst ? (parenthesis ?? ofContext) : (ofContext ?? parenthesis);
    if (unclosed !== undefined) return this.#error(unclosed, length);
    return { kind: 'end', text: '', start: length, end: length };
  }

  #comment(start: number): Token {
    let end = start;
    while (end < this.#text.length && this.#text[end] !== '\n' && this.#text[end] !== '\r') end++;
    return this.#token('comment', start, end);
  }

  #string(start: number, quote: string): Token {
    const scanned = scanQuoted(this.#text, start);
    if (scanned.end !== undefined) return this.#token('string', start, scanned.end);
    const { unterminatedString, unterminatedRawString } = this.#rules.messages;
    return this.#error(
      scanned.mistake ?? (quote === '`' ? unterminatedRawString : unterminatedString),
      start,
    );
  }

  #quantity(start: number): Token {
    const quantity = this.#rules.quantity(this.#text, start);
    if (quantity.kind === 'error') return this.#error(quantity.message ?? 'bad number', start);
    if (this.#context.afterQuantity !== undefined) {
      this.#context = this.#rules.contexts[this.#context.afterQuantity];
    }
    return this.#token(quantity.kind, start, quantity.end);
  }

  #word(start: number): Token {
    const { words } = this.#context;
    let end = start + 1;
    for (;;) {
      const char = this.#text.charAt(end);
      if (!isAlpha(char) && !isDigit(char) && !(char === ':' && words === 'colons')) break;
      end++;
    }
    if (words !== 'colons' && words !== 'plain' && !words.has(this.#text.slice(start, end).toLowerCase())) {
      return this.#error(this.#context.refuse(this.#text, start), start);
    }
    return this.#token('word', start, end);
  }

  #operator(start: number, operator: string): Token {
    const { unopenedParenthesis } = this.#rules.messages;
    if (unopenedParenthesis !== undefined) {
      if (operator === '(') this.#parenthesisDepth++;
      // The original reports the place after the parenthesis.
      if (operator === ')' && --this.#parenthesisDepth < 0)
        return this.#error(unopenedParenthesis, start + 1);
    }
    const nextName = this.#context.leadsTo?.[operator];
    if (nextName !== undefined) this.#context = this.#rules.contexts[nextName];
    return this.#token('operator', start, start + operator.length);
  }

  #token(kind: TokenKind, start: number, end: number): Token {
    this.#position = end;
    return { kind, text: this.#text.slice(start, end), start, end };
  }

  #error(message: string, start: number): Token {
    this.#position = this.#text.length;
    return { kind: 'error', text: message, start, end: this.#text.length };
  }
}
