/** Whether labels satisfy matchers, in memory. A label that is absent counts as ''. Patterns match whole values. */
import { type LabelMatcher, type Labels, labelValue } from '#model/labels.ts';
import { compileAnchoredRegex } from '../language/regex.ts';

/** Throws a plain Error on a pattern that the parser should have refused. */
export function matchesLabel(matcher: LabelMatcher, value: string): boolean {
  if (matcher.op === '=') return value === matcher.value;
  if (matcher.op === '!=') return value !== matcher.value;
  const compiled = compileAnchoredRegex(matcher.value);
  if ('mistake' in compiled) throw new Error(`BUG: ${compiled.mistake} in a parsed matcher`);
  return compiled.regex.test(value) === (matcher.op === '=~');
}

export function matchesLabels(matchers: readonly LabelMatcher[], labels: Labels): boolean {
  return matchers.every((matcher) => matchesLabel(matcher, labelValue(labels, matcher.name)));
}
