/**
 * Numbers as Go prints them: strconv.FormatFloat with the verbs e, f and g.
 *
 *   formatFloat(1234567, 'g')     ->  '1.234567e+06'     formatFloat(0.125, 'f', 2)  ->  '0.12'
 *   formatFloat(12345, 'g', 4)    ->  '1.234e+04'        formatFloat(1, 'e')         ->  '1e+00'
 */

/** The most digits that JavaScript prints exactly; a wider precision is refused where the format is parsed. */
export const floatPrecisionMax = 100;

export type FloatVerb = 'e' | 'f' | 'g';

/** A decimal number: 0.digits x 10^point. Zero has no digits. */
interface Decimal {
  readonly isNegative: boolean;
  readonly digits: string;
  readonly point: number;
}

/** Returns the text. `precision` undefined means the fewest digits that read back as the same number. */
export function formatFloat(value: number, verb: FloatVerb, precision?: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (precision === undefined) return renderShortest(value, verb);
  if (verb === 'f')
    return renderPlain(
      roundTo(value, (exact) => exact.point + precision),
      precision,
    );
  if (verb === 'e')
    return renderExponent(
      roundTo(value, () => precision + 1),
      precision,
    );
  return renderGeneral(
    roundTo(value, () => Math.max(precision, 1)),
    Math.max(precision, 1),
  );
}

function renderShortest(value: number, verb: FloatVerb): string {
  const decimal = parseDecimal(value, value.toExponential());
  if (verb === 'f') return renderPlain(decimal, Math.max(decimal.digits.length - decimal.point, 0));
  if (verb === 'e') return renderExponent(decimal, Math.max(decimal.digits.length - 1, 0));
  // Go decides by precision 6 where the digits are the shortest possible.
  return renderGeneral(decimal, 6, true);
}

function renderGeneral(decimal: Decimal, precision: number, isShortest = false): string {
  const count = decimal.digits.length;
  let limit = precision;
  if (!isShortest && limit > count && count >= decimal.point) limit = count;
  const exponent = count === 0 ? 0 : decimal.point - 1;
  if (count > 0 && (exponent < -4 || exponent >= limit)) return renderExponent(decimal, count - 1);
  return renderPlain(decimal, Math.max(count - decimal.point, 0));
}

function renderPlain(decimal: Decimal, fractionDigits: number): string {
  const { digits, point } = decimal;
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, '0') : '0';
  const fraction = point >= 0 ? digits.slice(point) : '0'.repeat(-point) + digits;
  const tail = fractionDigits > 0 ? `.${fraction.slice(0, fractionDigits).padEnd(fractionDigits, '0')}` : '';
  return `${decimal.isNegative ? '-' : ''}${whole}${tail}`;
}

function renderExponent(decimal: Decimal, fractionDigits: number): string {
  const exponent = decimal.digits === '' ? 0 : decimal.point - 1;
  const lead = decimal.digits.charAt(0) || '0';
  const tail = fractionDigits > 0 ? `.${decimal.digits.slice(1).padEnd(fractionDigits, '0')}` : '';
  const size = String(Math.abs(exponent)).padStart(2, '0');
  return `${decimal.isNegative ? '-' : ''}${lead}${tail}e${exponent < 0 ? '-' : '+'}${size}`;
}

/** Rounds to a count of digits, half to even as Go does: toFixed and toPrecision round half up. */
function roundTo(value: number, digitCount: (exact: Decimal) => number): Decimal {
  // 101 digits tell every tie: a double that is one has far fewer.
  const exact = parseDecimal(value, value.toExponential(100));
  const count = digitCount(exact);
  if (count >= exact.digits.length) return exact;
  if (count < 0) return { ...exact, digits: '', point: 0 };
  const kept = exact.digits.slice(0, count);
  const rest = exact.digits.slice(count);
  const isTie = rest === '5';
  const isOdd = Number(kept.at(-1) ?? '0') % 2 === 1;
  if (rest < '5' || (isTie && !isOdd)) return trimmed(exact, kept);
  const raised = String(BigInt(kept || '0') + 1n).padStart(kept.length, '0');
  return trimmed({ ...exact, point: exact.point + raised.length - kept.length }, raised);
}

function trimmed(decimal: Decimal, digits: string): Decimal {
  const significant = digits.replace(/0+$/, '');
  return { ...decimal, digits: significant, point: significant === '' ? 0 : decimal.point };
}

function parseDecimal(value: number, exponential: string): Decimal {
  const [mantissa, exponent] = exponential.replace(/^-/, '').split('e');
  const decimal = { isNegative: value < 0 || Object.is(value, -0), digits: '', point: Number(exponent) + 1 };
  return trimmed(decimal, mantissa.replace('.', ''));
}
