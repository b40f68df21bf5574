/** The tokens of one query, a place in them, and the errors that Prometheus would word from there. */

import { ParseError } from '../language/parse-error.ts';
import { quoteText } from '../language/quoted-string.ts';
import { scanTokens, type Token } from '../language/scanner.ts';
import { lineColumn } from '../language/text-position.ts';
import {
  aggregatorWords,
  callWords,
  choiceWords,
  isKeyword,
  isNumberWord,
  keywordWords,
  operatorWords,
  promqlScanRules,
} from './lexical.ts';

/** Deeper nesting is refused: the parser and everything behind it recurse. */
export const depthMax = 200;
/** Operators and ranges of one query: `a + b + ...` and `a[1h:][1h:]...` grow a tree deep without nesting. */
export const operatorsMax = 2000;

interface Ranged {
  readonly start: number;
  readonly end: number;
}

/** A mistake in the words of Prometheus: `1:5: parse error: unexpected ...`. */
export function parseError(text: string, range: Ranged, fact: string): ParseError {
  const { line, column } = lineColumn(text, range.start);
  const place = text === '' ? 'unknown position' : `${line}:${column}`;
  return new ParseError(`${place}: parse error: ${fact}`, range.start, range.end);
}

export class ParserInput {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #operatorCount = 0;
  #context = '';

  constructor(text: string) {
    this.text = text;
    this.#tokens = scanTokens(text, promqlScanRules);
  }

  /** The token here. Throws the scanner's error where the text goes wrong here. */
  get token(): Token {
    const token = this.#tokens[this.#index];
    if (token.kind === 'error') throw parseError(this.text, token, token.text);
    return token;
  }

  /** The token after this one; may be of kind 'error'. */
  get following(): Token {
    return this.#tokens[Math.min(this.#index + 1, this.#tokens.length - 1)];
  }

  /** Where the token before this one ended. */
  get endBefore(): number {
    return this.#index === 0 ? 0 : this.#tokens[this.#index - 1].end;
  }

  get isAtEnd(): boolean {
    return this.token.kind === 'end';
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.#index++;
    return token;
  }

  isOperator(text: string): boolean {
    const token = this.token;
    return token.kind === 'operator' && token.text === text;
  }

  /** Whether the token is this keyword (any case). */
  isWord(word: string): boolean {
    const token = this.token;
    return token.kind === 'word' && token.text.toLowerCase() === word;
  }

  /** Steps over an operator if it is here. */
  accept(operator: string): boolean {
    if (!this.isOperator(operator)) return false;
    this.next();
    return true;
  }

  expect(operator: string, context: string, expected: string): Token {
    if (!this.isOperator(operator)) throw this.unexpected(context, expected);
    return this.next();
  }

  /** Runs `parse` one level deeper. Throws ParseError beyond depthMax. */
  nested<Result>(parse: () => Result): Result {
    if (++this.#depth > depthMax) {
      throw parseError(this.text, this.token, `the expression is nested deeper than ${depthMax} levels`);
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Counts an operator or range. Throws ParseError beyond operatorsMax. */
  countOperator(): void {
    if (++this.#operatorCount <= operatorsMax) return;
    throw parseError(this.text, this.token, `the expression has more than ${operatorsMax} operators`);
  }

  /** Runs `parse`, where what is unexpected and has no nearer context is in this one. */
  within<Result>(context: string, parse: () => Result): Result {
    const outer = this.#context;
    this.#context = context;
    const result = parse();
    this.#context = outer;
    return result;
  }

  unexpected(nearest = '', expected = ''): ParseError {
    const token = this.token;
    const context = nearest === '' ? this.#context : nearest;
    const where = context === '' ? '' : ` in ${context}`;
    const wanted = expected === '' ? '' : `, expected ${expected}`;
    // Between braces every word is a name.
    const isName = context === 'label matching' && token.kind === 'word';
    const isCall = this.following.kind === 'operator' && this.following.text === '(';
    const isPlain = isName || (callWords.has(token.text.toLowerCase()) && !isCall);
    const found = isPlain ? `identifier ${quoteText(token.text)}` : describeToken(token);
    return parseError(this.text, token, `unexpected ${found}${where}${wanted}`);
  }
}

/** A token as Prometheus's messages call it. */
function describeToken(token: Token): string {
  const { kind, text } = token;
  if (kind === 'end') return 'end of input';
  if (kind === 'word') {
    const lower = text.toLowerCase();
    if (operatorWords.has(lower)) return `<op:${text}>`;
    if (aggregatorWords.has(lower)) return `<aggr:${text}>`;
    if (isNumberWord(text)) return `number ${quoteText(text)}`;
    if (keywordWords.has(lower)) return `<${text}>`;
    if (isKeyword(text) || choiceWords.has(lower)) return quoteText(text);
    return `${text.includes(':') ? 'metric identifier' : 'identifier'} ${quoteText(text)}`;
  }
  if (kind === 'operator') {
    return /^[(){}[\],:=]$/.test(text) ? quoteText(text) : `<op:${text}>`;
  }
  const shown = text.length > 10 ? `${quoteText(text.slice(0, 10))}...` : quoteText(text);
  return `${kind} ${shown}`;
}
