/**
 * Arithmetic and comparison between two vectors: each series of the "many" side finds the one series of the other
 * side with the same matching labels, at each step. Error texts are Prometheus's.
 */
import { type Labels, labelValue, sortLabels } from '#model/labels.ts';
import { type NumberOperator, numberOperator } from './binary-operators.ts';
import type { Evaluation } from './evaluation.ts';
import { executionError } from './execution-error.ts';
import { incompatibleTypes } from './histogram/histogram-notes.ts';
import { type OperatedHistograms, operateOnHistograms } from './histogram/histogram-operators.ts';
import {
  dropMetricSchema,
  emptyMixedSeries,
  emptySeries,
  labelsKey,
  matchingKey,
  renderLabels,
  type StepGrid,
  type StepSeries,
  setValue,
} from './step-series.ts';
import { type Binary, isTrim, losesMetricName, type VectorMatching } from './tree.ts';

export function matchVectors(
  evaluation: Evaluation,
  expression: Binary,
  left: readonly StepSeries[],
  right: readonly StepSeries[],
  grid: StepGrid,
): readonly StepSeries[] {
  const { fillLeft, fillRight } = expression.matching;
  const hasFill = fillLeft !== undefined || fillRight !== undefined;
  if (!hasFill && (left.length === 0 || right.length === 0)) return [];
  const match = new VectorMatch(evaluation, expression, grid);
  return expression.matching.cardinality === 'one-to-many' ? match.run(right, left) : match.run(left, right);
}

/** All series of one side that have the same matching labels. */
interface Group {
  readonly many: StepSeries[];
  readonly one: StepSeries[];
}

class VectorMatch {
  readonly #evaluation: Evaluation;
  readonly #expression: Binary;
  readonly #grid: StepGrid;
  readonly #operator: NumberOperator;
  readonly #matching: VectorMatching;
  readonly #names: ReadonlySet<string>;
  readonly #results = new Map<string, StepSeries>();
  #hasHistograms = false;

  constructor(evaluation: Evaluation, expression: Binary, grid: StepGrid) {
    this.#evaluation = evaluation;
    this.#expression = expression;
    this.#grid = grid;
    this.#operator = numberOperator(expression.operator, expression.returnsBool);
    this.#matching = expression.matching;
    this.#names = new Set(expression.matching.labels);
  }

  run(many: readonly StepSeries[], one: readonly StepSeries[]): readonly StepSeries[] {
    const hasHistograms = ({ histograms }: StepSeries) => histograms !== undefined;
    this.#hasHistograms = many.some(hasHistograms) || one.some(hasHistograms);
    const groups = new Map<string, Group>();
    for (const series of one) this.#group(groups, series).one.push(series);
    for (const series of many) this.#group(groups, series).many.push(series);
    const isMatchable = this.#stepsToMatch(many, one);
    for (const group of groups.values()) this.#fill(group);
    for (const group of groups.values()) {
      if (group.one.length > 1) this.#refuseDuplicates(group.one, isMatchable);
    }
    for (const group of groups.values()) this.#matchGroup(group);
    return [...this.#results.values()].filter(({ present }) => present.includes(1));
  }

  #group(groups: Map<string, Group>, series: StepSeries): Group {
    const key = matchingKey(series.labels, this.#names, this.#matching.isOn);
    const group = groups.get(key) ?? { many: [], one: [] };
    groups.set(key, group);
    return group;
  }

  /** Adds what stands for series that a side does not have, at the steps at which it has none. */
  #fill(group: Group): void {
    const { fillLeft, fillRight, cardinality } = this.#matching;
    const [fillMany, fillOne] = cardinality === 'one-to-many' ? [fillRight, fillLeft] : [fillLeft, fillRight];
    const { many, one } = group;
    const manyAt = unionOf(many, this.#grid.count);
    const oneAt = unionOf(one, this.#grid.count);
    const labels = this.#matchedLabels([...many, ...one][0].labels);
    const standIn = (value: number, present: Uint8Array): StepSeries => ({
      labels,
      dropsName: false,
      values: new Float64Array(present.length).fill(value),
      present,
    });
    if (fillMany !== undefined)
      many.push(
        standIn(
          fillMany,
          oneAt.map((flag, i) => flag & (1 - manyAt[i])),
        ),
      );
    if (fillOne !== undefined)
      one.push(
        standIn(
          fillOne,
          manyAt.map((flag, i) => flag & (1 - oneAt[i])),
        ),
      );
  }

  /** Prometheus does not look for duplicates at a step where one side is empty, unless something stands in for it. */
  #stepsToMatch(many: readonly StepSeries[], one: readonly StepSeries[]): Uint8Array {
    const { fillLeft, fillRight } = this.#matching;
    const steps = unionOf(one, this.#grid.count);
    if (fillLeft !== undefined || fillRight !== undefined) return steps;
    const other = unionOf(many, this.#grid.count);
    return steps.map((flag, i) => flag & other[i]);
  }

  #refuseDuplicates(series: readonly StepSeries[], isMatchable: Uint8Array): void {
    for (let step = 0; step < this.#grid.count; step++) {
      if (isMatchable[step] === 0) continue;
      const present = series.filter((one) => one.present[step] === 1);
      if (present.length < 2) continue;
      const side = this.#matching.cardinality === 'one-to-many' ? 'left' : 'right';
      const [first, second] = present;
      const group = renderLabels(this.#matchedLabels(second.labels));
      throw executionError(
        `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: ` +
          `[${renderLabels(second.labels)}, ${renderLabels(first.labels)}];` +
          'many-to-many matching not allowed: matching labels must be unique on one side',
      );
    }
  }

  #matchedLabels(labels: Labels): Labels {
    const { isOn } = this.#matching;
    return dropMetricSchemaUnless(isOn, labels).filter(([name]) => this.#names.has(name) === isOn);
  }

  #matchGroup({ many, one }: Group): void {
    const isOneToOne = this.#matching.cardinality === 'one-to-one';
    // Which steps have been matched: by the group, or by the result's labels where many may match.
    const matched = new Map<string, Uint8Array>();
    for (const left of many) {
      for (const right of one) {
        const labels = this.#resultLabels(left.labels, right.labels);
        const key = labelsKey(labels);
        const matchedKey = isOneToOne ? '' : key;
        const steps = matched.get(matchedKey) ?? new Uint8Array(this.#grid.count);
        matched.set(matchedKey, steps);
        this.#combine(left, right, this.#result(key, labels), steps);
      }
    }
  }

  #result(key: string, labels: Labels): { series: StepSeries; isShared: boolean } {
    const existing = this.#results.get(key);
    if (existing !== undefined) return { series: existing, isShared: true };
    this.#evaluation.budget.addSamples(this.#grid.count);
    const dropsName = this.#evaluation.delaysNameRemoval && this.#expression.returnsBool;
    const empty = this.#hasHistograms ? emptyMixedSeries : emptySeries;
    const series = empty(labels, this.#grid.count, dropsName);
    this.#results.set(key, series);
    return { series, isShared: false };
  }

  #combine(
    many: StepSeries,
    one: StepSeries,
    { series }: { series: StepSeries; isShared: boolean },
    matched: Uint8Array,
  ): void {
    const { value, keeps } = this.#operator;
    const [left, right] = this.#matching.cardinality === 'one-to-many' ? [one, many] : [many, one];
    for (let i = 0; i < matched.length; i++) {
      if (many.present[i] === 0 || one.present[i] === 0) continue;
      const combined = this.#hasHistograms ? this.#combineHistograms(left, right, i) : undefined;
      // A pair without a meaning has not matched; one that a comparison leaves out has.
      if (combined === 'meaningless') continue;
      if (combined === undefined && isTrim(this.#expression.operator)) {
        const fact = incompatibleTypes(0, this.#expression.operator, 0);
        this.#evaluation.annotations.inform(fact, this.#expression);
        continue;
      }
      if (matched[i] === 1) throw executionError(this.#duplicateFact());
      matched[i] = 1;
      if (combined === 'filtered') continue;
      const isKept = keeps === undefined || combined !== undefined;
      if (!isKept && !keeps(left.values[i], right.values[i])) continue;
      if (series.present[i] === 1) {
        throw executionError('vector cannot contain metrics with the same labelset');
      }
      setValue(series, i, combined ?? value(left.values[i], right.values[i]));
    }
  }

  /** Returns undefined where both values of the step are numbers. */
  #combineHistograms(
    leftSeries: StepSeries,
    rightSeries: StepSeries,
    step: number,
  ): OperatedHistograms | undefined {
    const left = leftSeries.histograms?.[step];
    const right = rightSeries.histograms?.[step];
    if (left === undefined && right === undefined) return undefined;
    return operateOnHistograms(
      this.#expression,
      this.#evaluation.annotations,
      left ?? leftSeries.values[step],
      right ?? rightSeries.values[step],
    );
  }

  #duplicateFact(): string {
    return this.#matching.cardinality === 'one-to-one'
      ? 'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)'
      : 'multiple matches for labels: grouping labels must ensure unique matches';
  }

  #resultLabels(many: Labels, one: Labels): Labels {
    const { operator, returnsBool } = this.#expression;
    const { cardinality, isOn, include } = this.#matching;
    const losesName = losesMetricName(operator) || (returnsBool && !this.#evaluation.delaysNameRemoval);
    let labels = losesName ? dropMetricSchema(many) : many;
    if (cardinality === 'one-to-one') labels = labels.filter(([name]) => this.#names.has(name) === isOn);
    if (include.length === 0) return labels;
    const kept = labels.filter(([name]) => !include.includes(name));
    const included = include.map((name) => [name, labelValue(one, name)] as const);
    return sortLabels([...kept, ...new Map(included)]);
  }
}

/** The steps at which any of the series has a value. */
function unionOf(series: readonly StepSeries[], stepCount: number): Uint8Array {
  const union = new Uint8Array(stepCount);
  for (const { present } of series) for (let i = 0; i < stepCount; i++) union[i] |= present[i];
  return union;
}

function dropMetricSchemaUnless(isOn: boolean, labels: Labels): Labels {
  return isOn ? labels : labels.filter(([name]) => name !== '__name__');
}
