/**
 * An expression's tree as JSON, as Prometheus's /parse_query has it for tools and its own explain view.
 *
 *   -x  ->  {"type":"unaryExpr","op":"-","expr":{"type":"vectorSelector","name":"x","matchers":[...],...}}
 *
 * Durations are in milliseconds; those that are computed have a tree of their own and 0 for their value.
 */
import type { LabelMatcher } from '#model/labels.ts';
import { functionSignature } from '../../promql/function-table.ts';
import { formatDecimal, printNumber } from '../../promql/printer.ts';
import type {
  Binary,
  Call,
  DurationExpression,
  Expression,
  Subquery,
  VectorSelector,
} from '../../promql/tree.ts';
import { expressionType } from '../../promql/type-check.ts';

/** Keys are sorted, as Go writes maps. */
export function renderExpression(expression: Expression): string {
  return JSON.stringify(toJson(expression), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

function toJson(expression: Expression): object {
  switch (expression.kind) {
    case 'number':
      return { type: 'numberLiteral', val: printNumber(expression.value) };
    case 'string':
      return { type: 'stringLiteral', val: expression.value };
    case 'vector':
      return selectorToJson('vectorSelector', expression, {});
    case 'matrix': {
      const { selector, rangeMs, rangeExpression } = expression;
      return selectorToJson('matrixSelector', selector, rangeToJson(rangeMs, rangeExpression));
    }
    case 'subquery': {
      const { stepMs, stepExpression, rangeMs, rangeExpression } = expression;
      return {
        expr: toJson(expression.expression),
        ...timeToJson(expression),
        ...rangeToJson(rangeMs, rangeExpression),
        step: stepExpression === undefined ? (stepMs ?? 0) : 0,
        stepExpr: durationToJson(stepExpression),
        type: 'subquery',
      };
    }
    case 'parentheses':
      return { expr: toJson(expression.expression), type: 'parenExpr' };
    case 'unary':
      return { expr: toJson(expression.expression), op: expression.operator, type: 'unaryExpr' };
    case 'binary':
      return {
        bool: expression.returnsBool,
        lhs: toJson(expression.left),
        matching: matchingToJson(expression),
        op: expression.operator,
        rhs: toJson(expression.right),
        type: 'binaryExpr',
      };
    case 'aggregation':
      return {
        expr: toJson(expression.expression),
        grouping: expression.grouping,
        op: expression.operator,
        param: expression.parameter === undefined ? null : toJson(expression.parameter),
        type: 'aggregation',
        without: expression.isWithout,
      };
    case 'call':
      return callToJson(expression);
    default:
      return expression satisfies never;
  }
}

function selectorToJson(type: string, selector: VectorSelector, range: object): object {
  return {
    anchored: selector.modifier === 'anchored',
    matchers: selector.matchers.map(matcherToJson),
    name: selector.name,
    ...timeToJson(selector),
    ...range,
    smoothed: selector.modifier === 'smoothed',
    type,
  };
}

function matcherToJson({ name, op, value }: LabelMatcher): object {
  return { name, type: op, value };
}

function rangeToJson(rangeMs: number, expression: DurationExpression | undefined): object {
  return { range: expression === undefined ? rangeMs : 0, rangeExpr: durationToJson(expression) };
}

function timeToJson({ at, offsetMs, offsetExpression }: VectorSelector | Subquery): object {
  return {
    offset: offsetExpression === undefined ? offsetMs : 0,
    offsetExpr: durationToJson(offsetExpression),
    startOrEnd: typeof at === 'string' ? at : null,
    timestamp: typeof at === 'number' ? at : null,
  };
}

/** Null where a side is no vector: then nothing is matched. */
function matchingToJson({ left, right, matching }: Binary): object | null {
  if (expressionType(left) !== 'vector' || expressionType(right) !== 'vector') return null;
  const { cardinality, fillLeft, fillRight, include, labels, isOn } = matching;
  return {
    card: cardinality,
    fillValues: { lhs: fillLeft ?? null, rhs: fillRight ?? null },
    include,
    labels,
    on: isOn,
  };
}

function callToJson({ name, args }: Call): object {
  const signature = functionSignature(name);
  if (signature === undefined) throw new Error(`BUG: ${name} was not refused before`);
  const { argTypes, variadic, returns } = signature;
  return {
    args: args.map(toJson),
    func: { argTypes, name, returnType: returns, variadic },
    type: 'call',
  };
}

function durationToJson(expression: DurationExpression | undefined): object | null {
  if (expression === undefined) return null;
  switch (expression.kind) {
    case 'literal':
      return {
        duration: expression.isDuration,
        type: 'numberLiteral',
        val: formatDecimal(expression.seconds),
      };
    case 'step':
    case 'range':
      return operationToJson(expression.kind, undefined, undefined);
    case 'parentheses': {
      const { inner } = expression;
      // A literal in parentheses has no place for them: it becomes +literal.
      const json = inner.kind === 'literal' ? operationToJson('+', undefined, inner) : durationToJson(inner);
      return { ...json, wrapped: true };
    }
    case 'sign':
      return operationToJson(expression.operator, undefined, expression.inner);
    case 'choice':
      return operationToJson(expression.name, expression.left, expression.right);
    case 'operation':
      return operationToJson(expression.operator, expression.left, expression.right);
    default:
      return expression satisfies never;
  }
}

function operationToJson(
  op: string,
  left: DurationExpression | undefined,
  right: DurationExpression | undefined,
): object {
  return {
    lhs: durationToJson(left),
    op,
    rhs: durationToJson(right),
    type: 'durationExpr',
    wrapped: false,
  };
}
