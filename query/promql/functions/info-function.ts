/**
 * info(): adds the labels of info metrics to series of the same instance and job.
 *
 *   info(rate(http_requests_total[5m]), {k8s_cluster_name=~".+"})  ->  the rates, with target_info's k8s_cluster_name
 *
 * The second argument chooses info metrics by __name__ (else target_info) and which of their labels are added. A series
 * without a matching info series stays as it is, unless a chosen label must not be empty. Info series are looked at where
 * the first argument looks: its `@` and `offset` hold for them too.
 * (https://prometheus.io/docs/prometheus/latest/querying/functions/#info)
 */
import { type LabelMatcher, type Labels, labelValue, metricNameLabel, sortLabels } from '#model/labels.ts';
import { streamSelector, streamTimestamps } from '../evaluate-selector.ts';
import { type Evaluation, evaluateVector } from '../evaluation.ts';
import { executionError } from '../execution-error.ts';
import { matchesLabel } from '../match-label.ts';
import {
  emptyMixedSeries,
  labelsKey,
  renderLabels,
  type StepGrid,
  type StepSeries,
  setValue,
  valueAt,
} from '../step-series.ts';
import type { Call, Expression, VectorSelector } from '../tree.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';

/** What says that a series and an info series are of the same thing. */
const identifyingLabels = ['instance', 'job'] as const;
const defaultMetric = 'target_info';

const info: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const choice = choiceOf(call);
    const input = await evaluateVector(evaluation, call.args[0], grid);
    const isInfo = ({ labels }: StepSeries) =>
      choice.names.every((matcher) => matchesLabel(matcher, labelValue(labels, metricNameLabel)));
    const plain = input.filter(isInfo);
    const base = input.filter((one) => !isInfo(one) && identityOf(one.labels) !== noIdentity);
    const unidentified = input.filter((one) => !isInfo(one) && identityOf(one.labels) === noIdentity);
    if (!choice.acceptsNone) unidentified.length = 0;
    if (base.length === 0) return { kind: 'vector', series: [...plain, ...unidentified] };
    const found = await readInfo(evaluation, call, choice, base, grid);
    const enriched = base.flatMap((one) => enrich(evaluation, one, found, choice, grid));
    return { kind: 'vector', series: [...plain, ...unidentified, ...enriched] };
  },
};

interface InfoChoice {
  /** Of the info metrics' names. */
  readonly names: readonly LabelMatcher[];
  readonly data: readonly LabelMatcher[];
  /** Labels that are added; undefined for all. */
  readonly labels: ReadonlySet<string> | undefined;
  /** Whether a series without an info series stays. */
  readonly acceptsNone: boolean;
}

function choiceOf(call: Call): InfoChoice {
  const selector = call.args[1];
  const matchers = selector?.kind === 'vector' ? selector.matchers : [];
  const isName = ({ name }: LabelMatcher) => name === metricNameLabel;
  const names = matchers.filter(isName);
  const data = matchers.filter((matcher) => !isName(matcher));
  return {
    names:
      names.length > 0 ? withoutOthers(names) : [{ name: metricNameLabel, op: '=', value: defaultMetric }],
    data,
    labels: data.length === 0 ? undefined : new Set(data.map(({ name }) => name)),
    acceptsNone: data.every((matcher) => matchesLabel(matcher, '')),
  };
}

/** Where names are only excluded, not all the others are info metrics. */
function withoutOthers(names: readonly LabelMatcher[]): readonly LabelMatcher[] {
  const isPositive = names.some(({ op }) => op === '=' || op === '=~');
  return isPositive ? names : [...names, { name: metricNameLabel, op: '=~', value: '.+_info' }];
}

const noIdentity = '\u0001\u0001';

function identityOf(labels: Labels): string {
  return identifyingLabels.map((name) => `${labelValue(labels, name)}\u0001`).join('');
}

/** An info series, and when its sample at each step was taken, in seconds. */
interface InfoSeries {
  readonly labels: Labels;
  readonly metric: string;
  readonly present: Uint8Array;
  readonly times: Float64Array;
}

/** By identity. Throws where an info metric has histograms. */
async function readInfo(
  evaluation: Evaluation,
  call: Call,
  { names, data }: InfoChoice,
  base: readonly StepSeries[],
  grid: StepGrid,
): Promise<Map<string, InfoSeries[]>> {
  const selector: VectorSelector = {
    kind: 'vector',
    name: '',
    matchers: [...names, ...identityMatchers(base), ...data],
    modifier: undefined,
    start: call.start,
    end: call.end,
    ...timeOf(call.args[0]),
  };
  const times = new Map<string, Float64Array>();
  for await (const one of streamTimestamps(evaluation, selector, grid)) {
    times.set(labelsKey(one.labels), one.values);
  }
  const byIdentity = new Map<string, InfoSeries[]>();
  for await (const { labels, present, histograms } of streamSelector(evaluation, selector, grid)) {
    if (histograms?.some((histogram, step) => histogram !== undefined && present[step] === 1)) {
      throw executionError(`this should be an info metric, with float samples: ${renderLabels(labels)}`);
    }
    const identity = identityOf(labels);
    const series = byIdentity.get(identity) ?? [];
    byIdentity.set(identity, series);
    series.push({
      labels,
      metric: labelValue(labels, metricNameLabel),
      present,
      times: times.get(labelsKey(labels)) ?? new Float64Array(grid.count),
    });
  }
  return byIdentity;
}

/** Longer alternatives would be a query of their own. */
const identityValuesMax = 1000;

/** Narrows the info series to those that any of the series can match. */
function identityMatchers(base: readonly StepSeries[]): LabelMatcher[] {
  return identifyingLabels.flatMap((name): LabelMatcher[] => {
    const values = new Set(base.map(({ labels }) => labelValue(labels, name)));
    if (values.size > identityValuesMax) return [];
    const alternatives = [...values].map((value) => value.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return [{ name, op: '=~', value: alternatives.join('|') }];
  });
}

/** Where the first selector of an expression looks. */
function timeOf(expression: Expression): Pick<VectorSelector, 'offsetMs' | 'at'> {
  const here = { offsetMs: 0, at: undefined };
  switch (expression.kind) {
    case 'number':
    case 'string':
      return here;
    case 'vector':
      return { offsetMs: expression.offsetMs, at: expression.at };
    case 'matrix':
      return timeOf(expression.selector);
    case 'subquery': {
      const inner = timeOf(expression.expression);
      if (inner.at !== undefined) return inner;
      return { offsetMs: expression.offsetMs + inner.offsetMs, at: expression.at };
    }
    case 'parentheses':
    case 'unary':
    case 'aggregation':
      return timeOf(expression.expression);
    case 'binary':
      return hasSelector(expression.left) ? timeOf(expression.left) : timeOf(expression.right);
    case 'call': {
      const argument = expression.args.find(hasSelector);
      return argument === undefined ? here : timeOf(argument);
    }
    default:
      return expression satisfies never;
  }
}

function hasSelector(expression: Expression): boolean {
  switch (expression.kind) {
    case 'number':
    case 'string':
      return false;
    case 'vector':
    case 'matrix':
      return true;
    case 'binary':
      return hasSelector(expression.left) || hasSelector(expression.right);
    case 'call':
      return expression.args.some(hasSelector);
    default:
      return hasSelector(expression.expression);
  }
}

/** The series with its info labels; several where they change between steps. */
function enrich(
  evaluation: Evaluation,
  base: StepSeries,
  found: ReadonlyMap<string, readonly InfoSeries[]>,
  { labels: wanted, acceptsNone }: InfoChoice,
  grid: StepGrid,
): StepSeries[] {
  const candidates = found.get(identityOf(base.labels)) ?? [];
  const results = new Map<string, StepSeries>();
  const own = new Set(base.labels.map(([name]) => name));
  for (let step = 0; step < grid.count; step++) {
    if (base.present[step] === 0) continue;
    const current = newestPerMetric(candidates, step);
    if (current.length === 0 && !acceptsNone) continue;
    const added = new Map<string, string>();
    for (const { labels } of current) {
      for (const [name, value] of labels) {
        if (name === metricNameLabel || own.has(name) || (wanted !== undefined && !wanted.has(name)))
          continue;
        const before = added.get(name);
        if (before !== undefined && before !== value) throw executionError(`conflicting label: ${name}`);
        added.set(name, value);
      }
    }
    const labels = sortLabels([...base.labels, ...added]);
    const key = labelsKey(labels);
    let result = results.get(key);
    if (result === undefined) {
      evaluation.budget.addSamples(grid.count);
      result = emptyMixedSeries(labels, grid.count, base.dropsName);
      results.set(key, result);
    }
    setValue(result, step, valueAt(base, step));
  }
  return [...results.values()];
}

/** Of each info metric the series with the newest sample. */
function newestPerMetric(candidates: readonly InfoSeries[], step: number): InfoSeries[] {
  const newest = new Map<string, InfoSeries>();
  for (const one of candidates) {
    if (one.present[step] === 0) continue;
    const before = newest.get(one.metric);
    if (before === undefined || one.times[step] > before.times[step]) newest.set(one.metric, one);
  }
  return [...newest.values()];
}

export const infoFunctions: FunctionFamily = { info };
