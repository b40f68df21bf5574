/**
 * OTLP attribute keys as Prometheus label names, by the rules of Prometheus's OTLP receiver.
 *
 *   a.b -> a_b      1a -> key_1a      _a -> key_a      __a__ -> __a__
 *
 * With a strategy that does not escape, keys are kept as they are.
 */
import { isEscaped, type MetricTranslation } from './metric-translation.ts';

/** Returns the label name of a key, '' where there is none: an empty key, or one of which only underscores are left. */
export function prometheusLabelName(key: string, translation: MetricTranslation): string {
  const name = isEscaped(translation.strategy) ? escapedKey(key, translation) : key;
  return /^_*$/.test(name) ? '' : name;
}

function escapedKey(key: string, { keepsUnderscores, isUnderscorePrefixed }: MetricTranslation): string {
  const name = keepsUnderscores ? key.replace(/[^a-zA-Z0-9]/gu, '_') : collapsed(key);
  if (/^[0-9]/.test(name)) return `key_${name}`;
  return isUnderscorePrefixed && /^_(?!_)/.test(name) ? `key${name}` : name;
}

/** Underscores in a row become one, but for those around a reserved name. */
function collapsed(key: string): string {
  const reserved = /^__(.*)__$/su.exec(key)?.[1];
  const inner = (reserved ?? key).replace(/[^a-zA-Z0-9]+/gu, '_');
  return reserved === undefined ? inner : `__${inner}__`;
}
