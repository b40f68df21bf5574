/** Values inside a template: Go's string, float64 and int. An int is a bigint, because printf tells the two apart. */
import { formatFloat } from './go-float.ts';

export type TemplateValue = string | number | bigint;

/** What went wrong while a template was filled in; the alert goes out with the text of it. */
export class RenderError extends Error {
  readonly code = 'SONDE_TEMPLATE_RENDER';
  constructor(fact: string) {
    super(fact);
    this.name = 'RenderError';
  }
}

/** Prints a value as `{{ value }}` does. */
export function renderValue(value: TemplateValue): string {
  return typeof value === 'number' ? formatFloat(value, 'g') : String(value);
}

/** Go's name of the value's type. */
export function goType(value: TemplateValue): 'string' | 'float64' | 'int' {
  if (typeof value === 'string') return 'string';
  return typeof value === 'bigint' ? 'int' : 'float64';
}

const floatPattern = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Returns the number that a value is or says. Throws RenderError on text that is no number. */
export function floatValue(value: TemplateValue): number {
  if (typeof value !== 'string') return Number(value);
  if (floatPattern.test(value)) return Number(value);
  if (/^[+-]?inf(inity)?$/i.test(value)) return value.startsWith('-') ? -Infinity : Infinity;
  if (/^nan$/i.test(value)) return NaN;
  throw new RenderError(`${JSON.stringify(value)} is not a number`);
}
