/**
 * One rule of relabel_configs, checked and compiled (Prometheus 3.x, `relabel_config`).
 *
 *   { source_labels: ['__address__'], regex: '(.*):.*', target_label: 'host' }
 *     ->  a rule that sets host to what is before the colon of __address__
 */
import { ConfigError } from '#model/errors.ts';
import { compileRegex, type RelabelRegex } from './relabel-regex.ts';
import { compileTemplate, type ReplacementTemplate } from './replacement-template.ts';

export const relabelActions = [
  'replace',
  'keep',
  'drop',
  'keepequal',
  'dropequal',
  'hashmod',
  'labelmap',
  'labeldrop',
  'labelkeep',
  'lowercase',
  'uppercase',
] as const;
export type RelabelAction = (typeof relabelActions)[number];

/** As it is written; what is absent has Prometheus's default. */
export interface RelabelConfig {
  readonly source_labels?: readonly string[] | undefined;
  readonly separator?: string | undefined;
  readonly regex?: string | undefined;
  readonly modulus?: bigint | undefined;
  readonly target_label?: string | undefined;
  readonly replacement?: string | undefined;
  /** In any case of letters. */
  readonly action?: string | undefined;
}

export interface RelabelRule {
  readonly action: RelabelAction;
  readonly sourceLabels: readonly string[];
  readonly separator: string;
  readonly regex: RelabelRegex;
  readonly modulus: bigint;
  readonly targetLabel: string;
  readonly target: ReplacementTemplate;
  readonly replacement: ReplacementTemplate;
  /** A rule that sets or deletes a label whatever the (empty) input is. */
  readonly isConstant: boolean;
}

const regexDefault = '(.*)';
const replacementDefault = '$1';
const separatorDefault = ';';

/** Throws ConfigError where Prometheus refuses the rule, in the same cases. */
export function compileRule(config: RelabelConfig): RelabelRule {
  const action = actionOf(config.action);
  checkTarget(action, config);
  checkFields(action, config);
  const regex = compileRegex(config.regex ?? regexDefault);
  const targetLabel = config.target_label ?? '';
  const target = compileTemplate(targetLabel, regex);
  const replacement = compileTemplate(config.replacement ?? replacementDefault, regex);
  return {
    action,
    sourceLabels: config.source_labels ?? [],
    separator: config.separator ?? separatorDefault,
    regex,
    modulus: config.modulus ?? 0n,
    targetLabel,
    target,
    replacement,
    isConstant: regex.pattern === regexDefault && target.isConstant && replacement.isConstant,
  };
}

/** UTF-8 names are valid, so all that is text and not empty (Prometheus 3, `metric_name_validation_scheme: utf8`). */
export function isValidLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

function actionOf(text = 'replace'): RelabelAction {
  const action = text.toLowerCase();
  for (const known of relabelActions) if (known === action) return known;
  throw new ConfigError(`unknown relabel action "${text}": expected one of ${relabelActions.join(', ')}`);
}

function checkTarget(action: RelabelAction, { target_label = '', replacement }: RelabelConfig): void {
  switch (action) {
    case 'replace':
    case 'hashmod':
    case 'lowercase':
    case 'uppercase':
    case 'keepequal':
    case 'dropequal':
      if (target_label === '') throw new ConfigError(`action ${action} requires target_label`);
      if (!isValidLabelName(target_label)) {
        throw new ConfigError(`"${target_label}" is no label name: target_label of action ${action}`);
      }
      return;
    case 'labelmap':
      if (!isValidLabelName(replacement ?? replacementDefault)) {
        throw new ConfigError(`"${replacement}" is no label name: replacement of action labelmap`);
      }
      return;
    case 'keep':
    case 'drop':
    case 'labeldrop':
    case 'labelkeep':
      return;
    default:
      action satisfies never;
  }
}

function checkFields(action: RelabelAction, config: RelabelConfig): void {
  const isSet = {
    separator: (config.separator ?? separatorDefault) !== separatorDefault,
    regex: (config.regex ?? regexDefault) !== regexDefault,
    replacement: (config.replacement ?? replacementDefault) !== replacementDefault,
    modulus: (config.modulus ?? 0n) !== 0n,
    target_label: (config.target_label ?? '') !== '',
    source_labels: config.source_labels !== undefined,
  };
  const refuse = (...fields: (keyof typeof isSet)[]): void => {
    const wrong = fields.find((field) => isSet[field]);
    if (wrong !== undefined) throw new ConfigError(`action ${action} does not take ${wrong}`);
  };
  if (action === 'hashmod' && !isSet.modulus) {
    throw new ConfigError('action hashmod requires a modulus that is not 0');
  }
  if (action === 'lowercase' || action === 'uppercase') refuse('replacement');
  if (action === 'keepequal' || action === 'dropequal') {
    refuse('regex', 'modulus', 'separator', 'replacement');
  }
  if (action === 'labeldrop' || action === 'labelkeep') {
    refuse('source_labels', 'target_label', 'modulus', 'separator', 'replacement');
  }
}
