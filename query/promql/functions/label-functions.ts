/** label_replace and label_join: they rewrite labels and do not look at values. */
import { type Labels, labelValue, metricNameLabel, sortLabels } from '#model/labels.ts';
import { compileAnchoredRegex } from '../../language/regex.ts';
import { evaluateVector, stringOf } from '../evaluation.ts';
import { executionError } from '../execution-error.ts';
import { isLabelName } from '../metric-name.ts';
import { mergeSameLabels, type StepSeries } from '../step-series.ts';
import type { FunctionFamily, WholeFunction } from './function-kinds.ts';

function withLabel(series: StepSeries, name: string, value: string): StepSeries {
  const others: Labels = series.labels.filter(([key]) => key !== name);
  const labels = sortLabels([...others, [name, value] as const]);
  return { ...series, labels, dropsName: name === metricNameLabel ? false : series.dropsName };
}

const labelReplace: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const [target, replacement, source, pattern] = call.args.slice(1).map(stringOf);
    const compiled = compileAnchoredRegex(pattern);
    if ('mistake' in compiled) {
      throw executionError(`invalid regular expression in label_replace(): ${pattern}`);
    }
    if (!isLabelName(target)) {
      throw executionError(`invalid destination label name in label_replace(): ${target}`);
    }
    const input = await evaluateVector(evaluation, call.args[0], grid);
    const series = input.map((one) => {
      const match = compiled.regex.exec(labelValue(one.labels, source));
      return match === null ? one : withLabel(one, target, expand(replacement, match));
    });
    return { kind: 'vector', series: mergeSameLabels(series) };
  },
};

/** Fills in $1, ${1}, $name and ${name} as Go's regexp.Expand does; unknown groups are empty, $$ is a dollar. */
function expand(template: string, match: RegExpExecArray): string {
  return template.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (whole, braced?: string, bare?: string) => {
    const name = braced ?? bare;
    if (name === undefined) return whole === '$$' ? '$' : whole;
    if (/^\d+$/.test(name)) return match[Number(name)] ?? '';
    return match.groups?.[name] ?? '';
  });
}

const labelJoin: WholeFunction = {
  kind: 'whole',
  evaluate: async (evaluation, call, grid) => {
    const [target, separator, ...sources] = call.args.slice(1).map(stringOf);
    const badSource = sources.find((source) => !isLabelName(source));
    if (badSource !== undefined) {
      throw executionError(`invalid source label name in label_join(): ${badSource}`);
    }
    if (!isLabelName(target)) {
      throw executionError(`invalid destination label name in label_join(): ${target}`);
    }
    const input = await evaluateVector(evaluation, call.args[0], grid);
    const series = input.map((one) => {
      const value = sources.map((source) => labelValue(one.labels, source)).join(separator);
      return withLabel(one, target, value);
    });
    return { kind: 'vector', series: mergeSameLabels(series) };
  },
};

export const labelFunctions: FunctionFamily = { label_replace: labelReplace, label_join: labelJoin };
