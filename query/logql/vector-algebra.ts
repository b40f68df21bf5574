/**
 * Arithmetic and grouping of series that share their times.
 *
 *   foldGroups('sum', by (level), [{level=a,pod=x} 1, {level=a,pod=y} 2])  ->  [{level=a} 3]
 */
import type { Labels } from '#model/labels.ts';
import type { Aggregator, ArithmeticOperator, Grouping } from './tree.ts';

export interface LogqlSeries {
  /** Sorted; no two series of a result have the same. */
  readonly labels: Labels;
  /** One per time; undefined where there is no sample. */
  readonly values: readonly (number | undefined)[];
}

/** Aggregates over the series of each group, time by time. */
export function foldGroups(
  name: Aggregator,
  grouping: Grouping,
  series: readonly LogqlSeries[],
): LogqlSeries[] {
  const groups = new Map<string, { labels: Labels; members: LogqlSeries[] }>();
  for (const one of series) {
    const labels = groupLabels(one.labels, grouping);
    const key = JSON.stringify(labels);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { labels, members: [one] });
    else group.members.push(one);
  }
  return [...groups.values()].map(({ labels, members }) => ({
    labels,
    values: members[0].values.map((_, i) => aggregate(name, samplesAt(members, i))),
  }));
}

function groupLabels(labels: Labels, { word, labels: names }: Grouping): Labels {
  return labels.filter(([name]) => names.includes(name) === (word === 'by'));
}

function samplesAt(members: readonly LogqlSeries[], i: number): number[] {
  return members.map((member) => member.values[i]).filter((value) => value !== undefined);
}

function aggregate(name: Aggregator, samples: readonly number[]): number | undefined {
  if (samples.length === 0) return undefined;
  switch (name) {
    case 'sum':
      return sum(samples);
    case 'avg':
      return sum(samples) / samples.length;
    case 'min':
      return samples.reduce((least, value) => Math.min(least, value));
    case 'max':
      return samples.reduce((most, value) => Math.max(most, value));
    case 'count':
      return samples.length;
    default:
      return name satisfies never;
  }
}

function sum(samples: readonly number[]): number {
  return samples.reduce((total, value) => total + value, 0);
}

/** Applies an operator between numbers, a number and each series, or series with equal labels. */
export function combine(
  op: ArithmeticOperator,
  left: number | readonly LogqlSeries[],
  right: number | readonly LogqlSeries[],
): number | LogqlSeries[] {
  if (typeof left === 'number') {
    if (typeof right === 'number') return apply(op, left, right);
    return right.map(({ labels, values }) => ({
      labels,
      values: values.map((value) => (value === undefined ? undefined : apply(op, left, value))),
    }));
  }
  if (typeof right === 'number') {
    return left.map(({ labels, values }) => ({
      labels,
      values: values.map((value) => (value === undefined ? undefined : apply(op, value, right))),
    }));
  }
  const partners = new Map(right.map((one) => [JSON.stringify(one.labels), one]));
  return left.flatMap(({ labels, values }) => {
    const partner = partners.get(JSON.stringify(labels));
    if (partner === undefined) return [];
    const combined = values.map((value, i) => {
      const other = partner.values[i];
      return value === undefined || other === undefined ? undefined : apply(op, value, other);
    });
    return [{ labels, values: combined }];
  });
}

function apply(op: ArithmeticOperator, left: number, right: number): number {
  switch (op) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    // Loki has no infinities here: a division by zero is NaN.
    case '/':
      return right === 0 ? Number.NaN : left / right;
    case '%':
      return right === 0 ? Number.NaN : left % right;
    case '^':
      return left ** right;
    default:
      return op satisfies never;
  }
}
