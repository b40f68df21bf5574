/**
 * Go's printf, for the verbs that alert texts use: %s %d %v %q %e %f %g and %%, with flags, width and precision.
 *
 *   renderPrintf(parseFormat('%.2f%%'), [0.5])  ->  '0.50%'
 *
 * A value that does not fit its verb prints as in Go: '%!d(float64=0.5)'. Verbs beyond these are refused at parse.
 */
import { quoteText } from '../../language/quoted-string.ts';
import { type FloatVerb, floatPrecisionMax, formatFloat } from './go-float.ts';
import { goType, renderValue, type TemplateValue } from './value.ts';

/** A wider field is a mistake, and would let a short template write a long text. */
const printfWidthMax = 200;

interface Directive {
  readonly verb: string;
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

/** Plain texts and directives, in order. */
export type PrintfFormat = readonly (string | Directive)[];

/** A mistake in a format and its offset there. */
export interface FormatMistake {
  readonly mistake: string;
  readonly offset: number;
}

const directivePattern = /%([-+# 0]*)(\d*)(?:\.(\d*))?(.?)/gsu;

/** Reads a format, or says what in it is not supported. */
export function parseFormat(text: string): PrintfFormat | FormatMistake {
  const format: (string | Directive)[] = [];
  let end = 0;
  for (const match of text.matchAll(directivePattern)) {
    const [whole, flags, widthText, precisionText, verb] = match;
    const mistake = (fact: string) => ({ mistake: fact, offset: match.index });
    if (match.index > end) format.push(text.slice(end, match.index));
    end = match.index + whole.length;
    if (whole === '%%') {
      format.push('%');
      continue;
    }
    if (verb === '') return mistake('the printf format ends in the middle of a directive');
    if (!'sdvqefg'.includes(verb) || flags.includes('#')) {
      return mistake(
        `printf directive ${JSON.stringify(whole)} is not supported (known: %s %d %v %q %e %f %g %%)`,
      );
    }
    const width = Number(widthText);
    const precision = precisionText === undefined ? undefined : Number(precisionText);
    if (width > printfWidthMax || (precision ?? 0) > floatPrecisionMax) {
      return mistake(
        `printf allows a width up to ${printfWidthMax} and a precision up to ${floatPrecisionMax}`,
      );
    }
    format.push({ verb, flags, width, precision });
  }
  if (end < text.length) format.push(text.slice(end));
  return format;
}

/** Fills a format in. */
export function renderPrintf(format: PrintfFormat, values: readonly TemplateValue[]): string {
  let out = '';
  let next = 0;
  for (const part of format) {
    if (typeof part === 'string') out += part;
    else if (next >= values.length) out += `%!${part.verb}(MISSING)`;
    else out += renderDirective(part, values[next++]);
  }
  if (next < values.length) {
    const extra = values.slice(next).map((value) => `${goType(value)}=${renderValue(value)}`);
    out += `%!(EXTRA ${extra.join(', ')})`;
  }
  return out;
}

function renderDirective(directive: Directive, value: TemplateValue): string {
  const text = renderVerb(directive, value);
  if (text === undefined) return `%!${directive.verb}(${goType(value)}=${renderValue(value)})`;
  return typeof value === 'string' ? pad(directive, text) : pad(directive, signed(directive, text));
}

/** The value in its verb, without width and plus sign; undefined where the verb is not for such a value. */
function renderVerb({ verb, precision }: Directive, value: TemplateValue): string | undefined {
  if (typeof value === 'string') {
    if (!'svq'.includes(verb)) return undefined;
    const text = precision === undefined ? value : [...value].slice(0, precision).join('');
    return verb === 'q' ? quoteText(text) : text;
  }
  if (typeof value === 'bigint') return verb === 'd' || verb === 'v' ? String(value) : undefined;
  if (verb === 'v' || verb === 'g') return formatFloat(value, 'g', precision);
  if (verb === 'e' || verb === 'f') return formatFloat(value, verb satisfies FloatVerb, precision ?? 6);
  return undefined;
}

function signed({ flags }: Directive, text: string): string {
  if (/^[-+]/.test(text)) return text;
  if (flags.includes('+')) return `+${text}`;
  return flags.includes(' ') ? ` ${text}` : text;
}

function pad({ flags, width }: Directive, text: string): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  const isNumber = /^[-+ ]?\d/.test(text);
  if (!flags.includes('0') || !isNumber) return ' '.repeat(missing) + text;
  const sign = /^[-+ ]/.test(text) ? text[0] : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}
