/** The functions that a template may call, by name: how many arguments, and what they return. */
import { humanize, humanize1024, humanizeDuration, humanizePercentage } from './humanize.ts';
import { type FormatMistake, type PrintfFormat, parseFormat, renderPrintf } from './printf.ts';
import { floatValue, RenderError, renderValue, type TemplateValue } from './value.ts';

export interface TemplateFunction {
  /** The piped value counts as the last argument. */
  readonly argumentCountMin: number;
  readonly argumentCountMax: number;
  call(values: readonly TemplateValue[]): TemplateValue;
  /** Looks at a literal first argument before anything runs. */
  checkLiteral?(text: string): FormatMistake | undefined;
}

const ofNumber = (render: (value: number) => string): TemplateFunction => ({
  argumentCountMin: 1,
  argumentCountMax: 1,
  call: ([value]) => render(floatValue(value)),
});

const ofText = (change: (text: string) => string): TemplateFunction => ({
  argumentCountMin: 1,
  argumentCountMax: 1,
  call: ([value]) => change(renderValue(value)),
});

const printf: TemplateFunction = {
  argumentCountMin: 1,
  argumentCountMax: 20,
  call: ([format, ...values]) => renderPrintf(requireFormat(String(format)), values),
  checkLiteral: (text) => {
    const format = parseFormat(text);
    return isMistake(format) ? format : undefined;
  },
};

export const templateFunctions: ReadonlyMap<string, TemplateFunction> = new Map([
  ['humanize', ofNumber(humanize)],
  ['humanize1024', ofNumber(humanize1024)],
  ['humanizeDuration', ofNumber(humanizeDuration)],
  ['humanizePercentage', ofNumber(humanizePercentage)],
  ['printf', printf],
  ['toLower', ofText((text) => text.toLowerCase())],
  ['toUpper', ofText((text) => text.toUpperCase())],
]);

function requireFormat(text: string): PrintfFormat {
  const format = parseFormat(text);
  if (isMistake(format)) throw new RenderError(format.mistake);
  return format;
}

function isMistake(format: PrintfFormat | FormatMistake): format is FormatMistake {
  return 'mistake' in format;
}
