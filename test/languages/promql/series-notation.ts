/**
 * Series as promqltest scripts write them: labels, then values a step apart.
 *
 *   parseSeriesLine('x{a="b"} 0+10x2 _ stale')  ->  labels and [0, 10, 20, absent, stale]
 *
 * A line `x@st -30s-1mx2` says when the counters of the samples of `x` began: so long before (or after) each sample.
 */
import { type Labels, sortLabels } from '#model/labels.ts';
import { parseDurationMs } from '#query/language/quantity.ts';
import { addHistograms, subtractHistograms } from '#query/promql/histogram/histogram-arithmetic.ts';
import { parsePromql, parseSelector } from '#query/promql/parser.ts';
import { type NotedHistogram, parseHistogram } from './histogram-notation.ts';

export const absent = 'absent';
/** A value, or what stands in its place. */
export type NotedValue = number | typeof absent | NotedHistogram;

/** The NaN that marks a series as gone: the bits matter. */
export const staleNan = new Float64Array(new BigUint64Array([0x7ff0000000000002n]).buffer);

export interface NotedSeries {
  readonly labels: Labels;
  readonly values: readonly NotedValue[];
  /** Indexes in `values` that are stale markers. */
  readonly stale: ReadonlySet<number>;
  /** Of a line of start times, milliseconds from each sample's own time, in place of values. */
  readonly startOffsets: readonly (number | typeof absent)[] | undefined;
}

/** Throws on text that is no series. */
export function parseSeriesLine(line: string): NotedSeries {
  const { metric, rest } = splitMetric(line.trim());
  if (rest.startsWith('@st')) {
    const startOffsets = parseOffsets(rest.slice(3).trim());
    return { labels: parseMetric(metric), values: [], stale: new Set(), startOffsets };
  }
  return { labels: parseMetric(metric), ...parseValues(rest.trim()), startOffsets: undefined };
}

function parseOffsets(text: string): (number | typeof absent)[] {
  const offsets: (number | typeof absent)[] = [];
  for (const item of text.split(/\s+/)) {
    const blank = /^_(?:x(\d+))?$/.exec(item);
    if (blank !== null) {
      for (let i = 0; i < Number(blank[1] ?? 1); i++) offsets.push(absent);
      continue;
    }
    const parts = /^([+-]?\w+?)([+-]\w+?)?(?:x(\d+))?$/.exec(item);
    if (parts === null) throw new Error(`no start time: ${item}`);
    const step = parts[2] === undefined ? 0 : parseOffset(parts[2]);
    for (let i = 0; i <= Number(parts[3] ?? 0); i++) offsets.push(parseOffset(parts[1]) + i * step);
  }
  return offsets;
}

function parseOffset(text: string): number {
  const [, sign, duration] = /^([+-]?)(.*)$/.exec(text)!;
  const ms = duration === '0' ? 0 : parseDurationMs(duration);
  if (ms === undefined) throw new Error(`no duration: ${text}`);
  return sign === '-' ? -ms : ms;
}

function splitMetric(line: string): { metric: string; rest: string } {
  const match = /^[A-Za-z_:][A-Za-z0-9_:]*/.exec(line);
  let end = match?.[0].length ?? 0;
  if (line[end] === '{' && line[end + 1] !== '{') {
    let quote = '';
    for (; end < line.length; end++) {
      const char = line[end];
      if (quote !== '') {
        if (char === '\\' && quote !== '`') end++;
        else if (char === quote) quote = '';
      } else if (char === '"' || char === "'" || char === '`') quote = char;
      else if (char === '}') break;
    }
    end++;
  }
  return { metric: line.slice(0, end), rest: line.slice(end) };
}

export function parseMetric(text: string): Labels {
  if (text === '' || /^\{\s*\}$/.test(text)) return [];
  const { matchers } = parseSelector(text);
  return sortLabels(matchers.map(({ name, value }) => [name, value] as const));
}

function parseValues(text: string): { values: NotedValue[]; stale: Set<number> } {
  const values: NotedValue[] = [];
  const stale = new Set<number>();
  for (const item of splitItems(text)) {
    const blank = /^_(?:x(\d+))?$/.exec(item);
    const many = /^(stale|[^x]+?)x(\d+)$/.exec(item);
    if (item.startsWith('{{')) pushHistograms(values, item);
    else if (blank !== null) {
      for (let i = 0; i < Number(blank[1] ?? 1); i++) values.push(absent);
    } else if (item === 'stale' || many?.[1] === 'stale') {
      for (let i = 0; i <= Number(many?.[2] ?? 0); i++) stale.add(values.push(staleNan[0]) - 1);
    } else if (many === null) values.push(parseValue(item));
    else pushSteps(values, many[1], Number(many[2]));
  }
  return { values, stale };
}

/** a, axn, a+bxn, a-bxn with histograms: n + 1 values. */
function pushHistograms(values: NotedValue[], text: string): void {
  const parts = /^(\{\{.*?\}\})(?:([+-])(\{\{.*?\}\}))?(?:x(\d+))?$/s.exec(text);
  if (parts === null) throw new Error(`no histograms: ${text}`);
  const [, first, sign, step, count = '0'] = parts;
  let noted = parseHistogram(first);
  values.push(noted);
  const difference = step === undefined ? undefined : parseHistogram(step).histogram;
  for (let i = 0; i < Number(count); i++) {
    if (difference !== undefined) {
      const combine = sign === '-' ? subtractHistograms : addHistograms;
      const { histogram } = combine(noted.histogram, difference)!;
      noted = { ...noted, histogram };
    }
    values.push(noted);
  }
}

/** a+bxn, a-bxn, axn: n + 1 values. */
function pushSteps(values: NotedValue[], text: string, count: number): void {
  const parts = /^([+-]?(?:[\d.]+(?:e[+-]?\d+)?|inf|nan))([+-].*)?$/i.exec(text);
  if (parts === null) throw new Error(`no value: ${text}`);
  let value = parseValue(parts[1]);
  const step = parts[2] === undefined ? 0 : parseValue(parts[2]);
  for (let i = 0; i <= count; i++) {
    values.push(value);
    value += step;
  }
}

function parseValue(text: string): number {
  const expression = parsePromql(text);
  if (expression.kind !== 'number') throw new Error(`no value: ${text}`);
  return expression.value;
}

/** Splits at spaces outside of {{...}}. */
function splitItems(text: string): string[] {
  const items: string[] = [];
  let depth = 0;
  let item = '';
  for (let i = 0; i < text.length; i++) {
    const pair = text.slice(i, i + 2);
    if (pair === '{{' || pair === '}}') {
      depth += pair === '{{' ? 1 : -1;
      item += pair;
      i++;
    } else if (/\s/.test(text[i]) && depth === 0) {
      if (item !== '') items.push(item);
      item = '';
    } else item += text[i];
  }
  if (item !== '') items.push(item);
  return items;
}
