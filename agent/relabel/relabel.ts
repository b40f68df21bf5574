/**
 * Applies relabel_configs and metric_relabel_configs to a set of labels, rule after rule (Prometheus 3.x).
 *
 *   relabel(new Map([['__address__', 'a:80']]), rules)  ->  true, and the map has what the rules made of it
 */
import { createHash } from 'node:crypto';
import { type Labels, sortLabels } from '#model/labels.ts';
import { isValidLabelName, type RelabelRule } from './relabel-rule.ts';
import { toSimpleLower, toSimpleUpper } from './simple-case.ts';

/** Labels while they are changed: a label with an empty value is absent, so none is in the map. */
export type LabelSet = Map<string, string>;

/** Changes `labels`. Returns false where a rule drops them; what they are then is not defined. */
export function relabel(labels: LabelSet, rules: readonly RelabelRule[]): boolean {
  for (const rule of rules) if (!applyRule(labels, rule)) return false;
  return true;
}

/** metric_relabel_configs as a function: undefined drops the series. Undefined where there is no rule. */
export function seriesRelabeler(
  rules: readonly RelabelRule[],
): ((labels: Labels) => Labels | undefined) | undefined {
  if (rules.length === 0) return undefined;
  return (labels) => {
    const set: LabelSet = new Map(labels);
    return relabel(set, rules) ? sortLabels(set) : undefined;
  };
}

function applyRule(labels: LabelSet, rule: RelabelRule): boolean {
  switch (rule.action) {
    case 'drop':
      return !rule.regex.matches(sourceText(labels, rule));
    case 'keep':
      return rule.regex.matches(sourceText(labels, rule));
    case 'dropequal':
      return (labels.get(rule.targetLabel) ?? '') !== sourceText(labels, rule);
    case 'keepequal':
      return (labels.get(rule.targetLabel) ?? '') === sourceText(labels, rule);
    case 'replace':
      replace(labels, rule);
      return true;
    case 'lowercase':
      setLabel(labels, rule.targetLabel, toSimpleLower(sourceText(labels, rule)));
      return true;
    case 'uppercase':
      setLabel(labels, rule.targetLabel, toSimpleUpper(sourceText(labels, rule)));
      return true;
    case 'hashmod':
      setLabel(labels, rule.targetLabel, hashModulo(sourceText(labels, rule), rule.modulus));
      return true;
    case 'labelmap':
      for (const [name, value] of [...labels]) {
        const captures = rule.regex.captures(name);
        if (captures !== undefined) setLabel(labels, rule.replacement.expand(captures), value);
      }
      return true;
    case 'labeldrop':
      for (const name of [...labels.keys()]) if (rule.regex.matches(name)) labels.delete(name);
      return true;
    case 'labelkeep':
      for (const name of [...labels.keys()]) if (!rule.regex.matches(name)) labels.delete(name);
      return true;
    default:
      return rule.action satisfies never;
  }
}

function sourceText(labels: LabelSet, { sourceLabels, separator }: RelabelRule): string {
  if (sourceLabels.length === 1) return labels.get(sourceLabels[0]!) ?? '';
  return sourceLabels.map((name) => labels.get(name) ?? '').join(separator);
}

function replace(labels: LabelSet, rule: RelabelRule): void {
  const text = sourceText(labels, rule);
  if (text === '' && rule.isConstant) {
    setLabel(labels, rule.targetLabel, rule.replacement.expand([]));
    return;
  }
  const captures = rule.regex.captures(text);
  if (captures === undefined) return;
  const target = rule.target.expand(captures);
  if (isValidLabelName(target)) setLabel(labels, target, rule.replacement.expand(captures));
}

/** The last 8 bytes of the MD5 sum as a big-endian number, modulo `modulus`. */
function hashModulo(text: string, modulus: bigint): string {
  const hash = createHash('md5').update(text).digest();
  return (hash.readBigUInt64BE(8) % modulus).toString();
}

function setLabel(labels: LabelSet, name: string, value: string): void {
  if (value === '') labels.delete(name);
  else labels.set(name, value);
}
