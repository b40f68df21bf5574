/** The tokens of one LogQL query, a place in them, and the errors that Loki would word from there. */
import { ParseError } from '../language/parse-error.ts';
import { scanTokens, type Token } from '../language/scanner.ts';
import { keywords, lexicalMessage, logqlScanRules } from './lexical.ts';

/** Deeper nesting is refused: the parser and the engine recurse. */
export const depthMax = 100;
/** Operators of one query: a chain of them is a deep tree too, and each operand may be a read of the store. */
export const operationsMax = 200;

interface Ranged {
  readonly start: number;
  readonly end: number;
}

/** A mistake in Loki's words: `parse error at line 1, col 5: syntax error: ...`. Columns count characters from 1. */
export function parseError(text: string, range: Ranged, fact: string): ParseError {
  const before = text.slice(0, range.start);
  const lineStart = before.lastIndexOf('\n') + 1;
  const line = before.split('\n').length;
  const column = [...before.slice(lineStart)].length + 1;
  // Loki's scanner has no position in an empty text.
  const where = text.trim() === '' ? 'parse error :' : `parse error at line ${line}, col ${column}:`;
  return new ParseError(`${where} ${fact}`, range.start, range.end);
}

/** A mistake that Loki finds after parsing, and reports without a position. */
export function meaningError(text: string, fact: string): ParseError {
  return new ParseError(`parse error : ${fact}`, 0, text.length);
}

export class ParserInput {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #index = 0;
  #depth = 0;
  #operationCount = 0;

  constructor(text: string) {
    this.text = text;
    this.#tokens = scanTokens(text, logqlScanRules);
  }

  /** The token here. Throws the scanner's error where the text goes wrong here. */
  get token(): Token {
    const token = this.#tokens[this.#index];
    if (token.kind === 'error') throw parseError(this.text, token, lexicalMessage(token.text));
    if (token.kind === 'string' && token.text.startsWith("'")) {
      throw parseError(this.text, token, 'illegal char literal');
    }
    return token;
  }

  /** The token after this one; may be of kind 'error'. */
  get following(): Token {
    return this.#tokens[Math.min(this.#index + 1, this.#tokens.length - 1)];
  }

  next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.#index++;
    return token;
  }

  isOperator(...texts: readonly string[]): boolean {
    const token = this.token;
    return token.kind === 'operator' && texts.includes(token.text);
  }

  isWord(...words: readonly string[]): boolean {
    const token = this.token;
    return token.kind === 'word' && words.includes(token.text);
  }

  /** Steps over an operator if it is here. */
  accept(operator: string): boolean {
    if (!this.isOperator(operator)) return false;
    this.next();
    return true;
  }

  /** `expected` is as Loki lists it: tokens joined by " or ", empty where there would be more than four. */
  expect(operator: string, expected = operator): Token {
    if (!this.isOperator(operator)) throw this.unexpected(expected);
    return this.next();
  }

  identifier(expected: string): string {
    const token = this.token;
    if (token.kind !== 'word' || keywords.has(token.text)) throw this.unexpected(expected);
    return this.next().text;
  }

  /** Runs `parse` one level deeper. Throws ParseError beyond depthMax. */
  nested<Result>(parse: () => Result): Result {
    if (++this.#depth > depthMax) {
      throw parseError(this.text, this.token, `the query is nested deeper than ${depthMax} levels`);
    }
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Must be called once per operator. Throws ParseError beyond operationsMax. */
  countOperation(): void {
    if (++this.#operationCount > operationsMax) {
      throw parseError(this.text, this.token, `the query has more than ${operationsMax} operators`);
    }
  }

  unexpected(expected = ''): ParseError {
    const { token } = this;
    const tail = expected === '' ? '' : `, expecting ${expected}`;
    return parseError(this.text, token, `syntax error: unexpected ${tokenName(token)}${tail}`);
  }

  /** What LogQL has and we have not. */
  unsupported(what: string, range: Ranged = this.token): ParseError {
    return parseError(this.text, range, `${what} is not supported yet`);
  }
}

function tokenName(token: Token): string {
  if (token.kind === 'end') return '$end';
  if (token.kind === 'word') return keywords.has(token.text) ? token.text : 'IDENTIFIER';
  if (token.kind === 'operator') return token.text === '[' ? 'RANGE' : token.text;
  return token.kind.toUpperCase();
}
