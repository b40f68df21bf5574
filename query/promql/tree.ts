/**
 * The tree of a PromQL expression. Nodes are plain, immutable and typed by `kind`; positions are UTF-16 offsets
 * in the query's text, `end` exclusive. Nothing here knows how a node is written or evaluated.
 */
import type { LabelMatcher } from '#model/labels.ts';

interface Ranged {
  readonly start: number;
  readonly end: number;
}

/** What an `@` modifier fixes the time to: milliseconds since 1970, or a bound of the query. */
export type AtModifier = number | 'start' | 'end';

export interface NumberLiteral extends Ranged {
  readonly kind: 'number';
  readonly value: number;
  /** Whether it was written as a duration (`5m` is 300). */
  readonly isDuration: boolean;
}

export interface StringLiteral extends Ranged {
  readonly kind: 'string';
  readonly value: string;
}

/** How a duration is computed; one that is written as a literal is a number of milliseconds. */
export type DurationExpression =
  | { readonly kind: 'literal'; readonly seconds: number; readonly isDuration: boolean }
  | { readonly kind: 'step' }
  | { readonly kind: 'range' }
  | { readonly kind: 'parentheses'; readonly inner: DurationExpression }
  | { readonly kind: 'sign'; readonly operator: '+' | '-'; readonly inner: DurationExpression }
  | {
      readonly kind: 'choice';
      readonly name: 'min_of' | 'max_of';
      readonly left: DurationExpression;
      readonly right: DurationExpression;
    }
  | {
      readonly kind: 'operation';
      readonly operator: string;
      readonly left: DurationExpression;
      readonly right: DurationExpression;
    };

/** What a selector answers at times between samples; of a range selector, at the bounds of its windows. */
export type RangeModifier = 'anchored' | 'smoothed';

export interface VectorSelector extends Ranged {
  readonly kind: 'vector';
  /** The metric name where it stands outside the braces, else ''. Its matcher is the last of `matchers`. */
  readonly name: string;
  readonly matchers: readonly LabelMatcher[];
  readonly offsetMs: number;
  /** What offsetMs will be, where it is computed. */
  readonly offsetExpression?: DurationExpression | undefined;
  readonly at: AtModifier | undefined;
  readonly modifier: RangeModifier | undefined;
}

export interface MatrixSelector extends Ranged {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly rangeExpression?: DurationExpression | undefined;
}

export interface Subquery extends Ranged {
  readonly kind: 'subquery';
  readonly expression: Expression;
  readonly rangeMs: number;
  /** Undefined where the default applies. */
  readonly stepMs: number | undefined;
  readonly offsetMs: number;
  readonly rangeExpression?: DurationExpression | undefined;
  readonly stepExpression?: DurationExpression | undefined;
  readonly offsetExpression?: DurationExpression | undefined;
  readonly at: AtModifier | undefined;
}

export interface Parentheses extends Ranged {
  readonly kind: 'parentheses';
  readonly expression: Expression;
}

export interface Unary extends Ranged {
  readonly kind: 'unary';
  readonly operator: '+' | '-';
  readonly expression: Expression;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';
/** They keep the part of a histogram below, or above, a number. */
export type TrimOperator = '</' | '>/';
export type SetOperator = 'and' | 'or' | 'unless';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | TrimOperator | SetOperator;

export type Cardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

/** How the two sides' series find each other. */
export interface VectorMatching {
  readonly cardinality: Cardinality;
  /** True for on(...), false for ignoring(...) or nothing. */
  readonly isOn: boolean;
  readonly labels: readonly string[];
  /** Labels that group_left or group_right copies from the one side. */
  readonly include: readonly string[];
  /** The value that stands for a series which a side does not have. */
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export interface Binary extends Ranged {
  readonly kind: 'binary';
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
  readonly returnsBool: boolean;
  readonly matching: VectorMatching;
}

export type AggregationOperator =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limitk'
  | 'limit_ratio'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk';

export interface Aggregation extends Ranged {
  readonly kind: 'aggregation';
  readonly operator: AggregationOperator;
  readonly expression: Expression;
  /** k of topk, q of quantile, the label of count_values. */
  readonly parameter: Expression | undefined;
  readonly grouping: readonly string[];
  readonly isWithout: boolean;
}

export interface Call extends Ranged {
  readonly kind: 'call';
  /** A name of the function table. */
  readonly name: string;
  readonly args: readonly Expression[];
}

export type Expression =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Parentheses
  | Unary
  | Binary
  | Aggregation
  | Call;

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

/** Precedence of the binary operators, weakest first; only `^` binds to the right. */
export const operatorPrecedence: Readonly<Record<BinaryOperator, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};

export function isComparison(operator: BinaryOperator): operator is ComparisonOperator {
  return operatorPrecedence[operator] === 3 && !isTrim(operator);
}

export function isTrim(operator: BinaryOperator): operator is TrimOperator {
  return operator === '</' || operator === '>/';
}

/** Whether the result is no longer the metric's own value. */
export function losesMetricName(operator: BinaryOperator): boolean {
  return operatorPrecedence[operator] > 3;
}

export function isSetOperator(operator: BinaryOperator): operator is SetOperator {
  return operatorPrecedence[operator] < 3;
}

/** Leaves out parentheses around an expression. */
export function unwrapParentheses(expression: Expression): Expression {
  let inner = expression;
  while (inner.kind === 'parentheses') inner = inner.expression;
  return inner;
}

/** The expressions that an expression is made of, in the order of evaluation. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case 'number':
    case 'string':
    case 'vector':
      return [];
    case 'matrix':
      return [expression.selector];
    case 'subquery':
    case 'parentheses':
    case 'unary':
      return [expression.expression];
    case 'binary':
      return [expression.left, expression.right];
    case 'aggregation':
      return expression.parameter === undefined
        ? [expression.expression]
        : [expression.parameter, expression.expression];
    case 'call':
      return expression.args;
    default:
      return expression satisfies never;
  }
}
