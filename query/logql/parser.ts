/**
 * Parses LogQL. What Loki refuses is refused in its words; what Loki has and we have not is refused by name.
 *
 *   parseLogql('{app="a"} |= "x"')   parseLogql('sum by (level) (rate({app="a"}[5m]))')   parseLogql('vector(1)+vector(1)')
 */
import type { LabelMatcher } from '#model/labels.ts';
import { parseDurationNano } from './duration.ts';
import { functionsMissing, rangeFunctionsMissing } from './lexical.ts';
import { parseLog, parseMatchers, parseStages, requireSelective, stagesMax } from './parse-log.ts';
import { meaningError, ParserInput, parseError } from './parser-input.ts';
import {
  type ArithmeticOperator,
  aggregators,
  type Grouping,
  type LogExpr,
  type LogqlExpr,
  type MetricExpr,
  type RangeFunction,
  rangeFunctions,
} from './tree.ts';

/** Returns the query's tree. Throws ParseError. */
export function parseLogql(text: string): LogqlExpr {
  const input = new ParserInput(text);
  const expr = parseBinary(input, 0);
  if (input.token.kind !== 'end') throw input.unexpected();
  // Only now: Loki reports mistakes of grammar first.
  for (const log of logsOf(expr)) requireSelective(input, log.matchers);
  return expr;
}

function logsOf(expr: LogqlExpr): LogExpr[] {
  if (expr.kind === 'log') return [expr];
  if (expr.kind === 'range') return [expr.log];
  if (expr.kind === 'aggregation') return logsOf(expr.inner);
  return expr.kind === 'binary' ? [...logsOf(expr.left), ...logsOf(expr.right)] : [];
}

/** Parses a bare selector, as /series and /labels take it. Throws ParseError. */
export function parseLogSelector(text: string): LabelMatcher[] {
  const input = new ParserInput(text);
  if (!input.isOperator('{')) throw input.unexpected();
  const matchers = parseMatchers(input);
  if (input.token.kind !== 'end') throw input.unsupported('anything but a stream selector here');
  requireSelective(input, matchers);
  return matchers;
}

const precedences: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };
const operatorsMissing = ['==', '!=', '>', '>=', '<', '<='];

/** Precedence climbing; ^ binds to the right. */
function parseBinary(input: ParserInput, precedenceMin: number): LogqlExpr {
  return input.nested(() => {
    let left = parseOperand(input);
    for (;;) {
      refuseOperator(input, left);
      const op = input.token.kind === 'operator' ? input.token.text : '';
      const precedence = precedences[op];
      if (precedence === undefined || precedence < precedenceMin) return left;
      const leftLeg = requireMetric(input, left, 'left', op);
      input.countOperation();
      input.next();
      if (input.isWord('bool', 'on', 'ignoring')) throw input.unsupported(`"${input.token.text}"`);
      const right = parseBinary(input, op === '^' ? precedence : precedence + 1);
      left = {
        kind: 'binary',
        op: op as ArithmeticOperator,
        left: leftLeg,
        right: requireMetric(input, right, 'right', op),
      };
    }
  });
}

function refuseOperator(input: ParserInput, left: LogqlExpr): void {
  if (input.isWord('and', 'or', 'unless')) throw input.unsupported(`the operator "${input.token.text}"`);
  if (left.kind !== 'log' && input.isOperator(...operatorsMissing)) {
    throw input.unsupported(`the comparison "${input.token.text}"`);
  }
}

function requireMetric(input: ParserInput, expr: LogqlExpr, leg: string, op: string): MetricExpr {
  if (expr.kind !== 'log') return expr;
  throw meaningError(
    input.text,
    `unexpected type for ${leg} leg of binary operation (${op}): a log query has no value`,
  );
}

function parseOperand(input: ParserInput): LogqlExpr {
  const { token } = input;
  if (input.isOperator('{')) return parseLog(input);
  if (input.accept('(')) {
    const inner = input.nested(() => parseBinary(input, 0));
    input.expect(')', '');
    return inner;
  }
  if (input.isOperator('-', '+')) {
    input.next();
    if (input.token.kind !== 'number') throw input.unexpected('NUMBER');
    return { kind: 'number', value: numberHere(input) * (token.text === '-' ? -1 : 1) };
  }
  if (token.kind === 'number') return { kind: 'number', value: numberHere(input) };
  if (token.kind === 'word') return parseCall(input);
  throw input.unexpected();
}

function numberHere(input: ParserInput): number {
  const token = input.next();
  const value = Number(token.text);
  if (!Number.isFinite(value)) throw parseError(input.text, token, `value out of range: ${token.text}`);
  return value;
}

function parseCall(input: ParserInput): MetricExpr {
  const { token, following } = input;
  const isCall = following.kind === 'operator' && following.text === '(';
  const isGrouped = following.kind === 'word' && (following.text === 'by' || following.text === 'without');
  const aggregator = aggregators.find((name) => name === token.text);
  if (aggregator !== undefined && (isCall || isGrouped)) return parseAggregation(input, aggregator);
  if (isCall || isGrouped) {
    const name = rangeFunctions.find((known) => known === token.text);
    if (name !== undefined && isCall) return parseRangeFunction(input, name);
    if (token.text === 'vector' && isCall) return parseVector(input);
    if (rangeFunctionsMissing.has(token.text) || functionsMissing.has(token.text)) {
      throw input.unsupported(`the function ${token.text}()`);
    }
  }
  throw input.unexpected();
}

function parseVector(input: ParserInput): MetricExpr {
  input.next();
  input.expect('(');
  if (input.token.kind !== 'number') throw input.unexpected('NUMBER');
  const value = numberHere(input);
  input.expect(')');
  return { kind: 'vector', value };
}

function parseAggregation(input: ParserInput, name: (typeof aggregators)[number]): MetricExpr {
  input.next();
  let grouping = parseGrouping(input);
  input.expect('(');
  const inner = input.nested(() => parseBinary(input, 0));
  // Loki knows here that only a metric may stand inside, and meets the parenthesis too early.
  if (inner.kind === 'log') throw input.unexpected();
  input.expect(')', '');
  grouping ??= parseGrouping(input);
  return { kind: 'aggregation', name, inner, ...(grouping === undefined ? {} : { grouping }) };
}

function parseGrouping(input: ParserInput): Grouping | undefined {
  if (!input.isWord('by', 'without')) return undefined;
  const word = input.next().text as Grouping['word'];
  input.expect('(');
  const labels: string[] = [];
  if (input.accept(')')) return { word, labels };
  for (;;) {
    labels.push(input.identifier(labels.length === 0 ? 'IDENTIFIER or )' : 'IDENTIFIER'));
    if (labels.length > stagesMax) throw input.unsupported(`grouping by more than ${stagesMax} labels`);
    if (input.accept(')')) return { word, labels };
    if (!input.accept(',')) throw input.unexpected(') or ,');
  }
}

function parseRangeFunction(input: ParserInput, name: RangeFunction): MetricExpr {
  input.next();
  input.expect('(');
  let log = parseRangedLog(input);
  const rangeNano = parseRange(input);
  const offsetNano = parseOffset(input);
  // The filters may also stand behind the range.
  log = { ...log, lineFilters: [...log.lineFilters, ...parseStages(input)] };
  input.expect(')', '');
  if (input.isWord('by', 'without')) throw input.unsupported(`grouping after ${name}()`);
  return { kind: 'range', name, log, rangeNano, offsetNano };
}

function parseRangedLog(input: ParserInput): LogExpr {
  if (input.isOperator('{')) return parseLog(input);
  if (!input.accept('(')) throw input.unexpected();
  const log = input.nested(() => parseRangedLog(input));
  input.expect(')', '');
  return log;
}

function parseRange(input: ParserInput): bigint {
  if (!input.isOperator('[')) throw input.unexpected();
  const open = input.next();
  const close = input.text.indexOf(']', open.end);
  if (close === -1) throw parseError(input.text, open, "missing closing ']' in duration");
  const text = input.text.slice(open.end, close).trim();
  const nano = parseDurationNano(text);
  if (nano === undefined || nano === 0n || input.token.kind !== 'duration' || input.token.text !== text) {
    throw parseError(
      input.text,
      { start: open.start, end: close + 1 },
      `not a valid duration string: "${text}"`,
    );
  }
  input.next();
  input.expect(']');
  return nano;
}

function parseOffset(input: ParserInput): bigint {
  if (!input.isWord('offset')) return 0n;
  input.next();
  const isNegative = input.accept('-');
  const token = input.next();
  const nano = token.kind === 'duration' ? parseDurationNano(token.text) : undefined;
  if (nano === undefined) {
    throw parseError(input.text, token, 'syntax error: unexpected offset, expecting DURATION');
  }
  return isNegative ? -nano : nano;
}
