/** Parses the part of LogQL that picks lines: a stream selector and its line filters. */
import type { LabelMatcher } from '#model/labels.ts';
import { unquote } from '../language/quoted-string.ts';
import { compileAnchoredRegex, compileRegex } from '../language/regex.ts';
import type { Token } from '../language/scanner.ts';
import { meaningError, type ParserInput, parseError } from './parser-input.ts';
import type { LineFilter } from './source.ts';
import type { LogExpr } from './tree.ts';

/** Filters, matchers, alternatives, grouping labels of one query: each costs a condition or a column in SQL. */
export const stagesMax = 100;

const matcherOperators = ['=', '!=', '=~', '!~'] as const;
const filterOperators = ['|=', '!=', '|~', '!~'] as const;

/** `{app="a", pod=~"b.*"}`, with no condition on what it selects. */
export function parseMatchers(input: ParserInput): LabelMatcher[] {
  input.expect('{');
  const matchers: LabelMatcher[] = [];
  if (input.accept('}')) return matchers;
  for (;;) {
    matchers.push(parseMatcher(input, matchers.length === 0 ? 'IDENTIFIER or }' : 'IDENTIFIER'));
    if (matchers.length > stagesMax) throw input.unsupported(`a selector of more than ${stagesMax} matchers`);
    if (input.accept('}')) return matchers;
    if (!input.accept(',')) throw input.unexpected('} or ,');
  }
}

function parseMatcher(input: ParserInput, expected: string): LabelMatcher {
  const name = input.identifier(expected);
  const op = matcherOperators.find((operator) => input.isOperator(operator));
  if (op === undefined) throw input.unexpected('= or =~ or !~ or !=');
  input.next();
  const value = parseText(input, 'STRING', op.endsWith('~'));
  return { name, op, value };
}

/** Throws Loki's ParseError where every matcher also matches a stream without the label. */
export function requireSelective(input: ParserInput, matchers: readonly LabelMatcher[]): void {
  if (matchers.some((matcher) => !matchesEmpty(matcher))) return;
  throw meaningError(
    input.text,
    'queries require at least one regexp or equality matcher that does not have an empty-compatible value. ' +
      'For instance, app=~".*" does not meet this requirement, but app=~".+" will',
  );
}

function matchesEmpty({ op, value }: LabelMatcher): boolean {
  if (op === '=' || op === '!=') return (value === '') === (op === '=');
  const compiled = compileAnchoredRegex(value);
  return 'regex' in compiled && compiled.regex.test('') === (op === '=~');
}

/** Parses a selector and the stages behind it, up to what is no stage. */
export function parseLog(input: ParserInput): LogExpr {
  return { kind: 'log', matchers: parseMatchers(input), lineFilters: parseStages(input) };
}

/** Parses `|= "x" != "y" or "z"`. Throws ParseError, by name and place, on the stages that are not supported yet. */
export function parseStages(input: ParserInput): LineFilter[] {
  const filters: LineFilter[] = [];
  for (;;) {
    if (input.isOperator('|')) {
      passErrorDrop(input);
      continue;
    }
    if (input.isOperator('|>', '!>')) throw input.unsupported(`the pattern filter ${input.token.text}`);
    const op = filterOperators.find((operator) => input.isOperator(operator));
    if (op === undefined) return filters;
    if (filters.length >= stagesMax) throw input.unsupported(`a pipeline of more than ${stagesMax} filters`);
    input.next();
    filters.push({ op, values: parseAlternatives(input, op.endsWith('~')) });
  }
}

function parseAlternatives(input: ParserInput, isPattern: boolean): string[] {
  const values: string[] = [];
  do {
    if (values.length >= stagesMax)
      throw input.unsupported(`a filter of more than ${stagesMax} alternatives`);
    if (values.length > 0) input.next();
    if (input.isWord('ip')) throw input.unsupported('the ip() filter');
    values.push(parseText(input, 'STRING or ip', isPattern));
  } while (input.isWord('or'));
  return values;
}

function parseText(input: ParserInput, expected: string, isPattern: boolean): string {
  if (input.token.kind !== 'string') throw input.unexpected(expected);
  const token = input.next();
  const text = unquote(token.text);
  if (isPattern) checkPattern(input, token, text);
  return text;
}

function checkPattern(input: ParserInput, token: Token, pattern: string): void {
  const compiled = compileRegex(pattern);
  if ('mistake' in compiled) throw parseError(input.text, token, compiled.mistake);
}

const errorLabels = ['__error__', '__error_details__'];

/**
 * Steps over `| drop __error__`, which Grafana appends to count lines: only stages that we refuse could have set the
 * label. Throws ParseError on every other stage.
 */
function passErrorDrop(input: ParserInput): void {
  const pipe = input.next();
  const { token: stage, following } = input;
  if (stage.kind !== 'word') throw input.unexpected();
  if (stage.text !== 'drop' || !errorLabels.includes(following.text)) {
    throw input.unsupported(`the pipeline stage "| ${stage.text}"`, { start: pipe.start, end: stage.end });
  }
  do {
    input.next();
    if (!input.isWord(...errorLabels)) throw input.unsupported('dropping other labels than __error__');
    input.next();
    if (input.isOperator(...matcherOperators)) throw input.unsupported('dropping a label by its value');
  } while (input.isOperator(','));
}
