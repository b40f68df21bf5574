/**
 * Finds the parts of one StatsD line, in bytes.
 *
 *   'api.time:12:15|ms|@0.5|#route:/a,ok'  ->  name 'api.time', values '12:15', type ms, rate 0.5, tags 'route:/a,ok'
 *
 *   line => NAME ':' VALUE (':' VALUE)* '|' TYPE ('|@' RATE | '|#' TAGS | '|c:' ... | '|T' ... )*
 *
 * As StatsD has it, with DogStatsD's tags and packed values. Container ids and timestamps are stepped over: what is
 * aggregated here is of now.
 */
export type StatsdType = 'counter' | 'gauge' | 'timer' | 'histogram' | 'set';

/**
 * event, service_check: DogStatsD's, which are no metrics. name, value, type, rate: that part makes no sense.
 */
export type StatsdProblem = '' | 'event' | 'service_check' | 'name' | 'value' | 'type' | 'rate';

/** One object is filled for line after line. */
export interface StatsdLine {
  problem: StatsdProblem;
  type: StatsdType;
  nameFrom: number;
  nameTo: number;
  valuesFrom: number;
  valuesTo: number;
  /** Above 0, at most 1. */
  rate: number;
  /** Equal where there are none. */
  tagsFrom: number;
  tagsTo: number;
}

const colon = 0x3a;
const pipe = 0x7c;
const underscore = 0x5f;

export function createStatsdLine(): StatsdLine {
  return {
    problem: '',
    type: 'counter',
    nameFrom: 0,
    nameTo: 0,
    valuesFrom: 0,
    valuesTo: 0,
    rate: 1,
    tagsFrom: 0,
    tagsTo: 0,
  };
}

/** Parses bytes[from, to), a line without its newline. */
export function parseStatsdLine(bytes: Buffer, from: number, to: number, line: StatsdLine): void {
  line.rate = 1;
  line.tagsFrom = 0;
  line.tagsTo = 0;
  line.problem = readParts(bytes, from, to, line);
}

function readParts(bytes: Buffer, from: number, to: number, line: StatsdLine): StatsdProblem {
  if (bytes[from] === underscore && from + 2 < to) {
    if (bytes[from + 1] === 0x65 && bytes[from + 2] === 0x7b) return 'event';
    if (bytes[from + 1] === 0x73 && bytes[from + 2] === 0x63 && bytes[from + 3] === pipe)
      return 'service_check';
  }
  const nameTo = find(bytes, colon, from, to);
  if (nameTo === from || nameTo === to) return 'name';
  const valuesTo = find(bytes, pipe, nameTo + 1, to);
  if (valuesTo === nameTo + 1 || valuesTo === to) return 'value';
  const typeTo = find(bytes, pipe, valuesTo + 1, to);
  if (!readType(bytes, valuesTo + 1, typeTo, line)) return 'type';
  line.nameFrom = from;
  line.nameTo = nameTo;
  line.valuesFrom = nameTo + 1;
  line.valuesTo = valuesTo;
  for (let at = typeTo + 1; at < to; ) {
    const end = find(bytes, pipe, at, to);
    if (bytes[at] === 0x40) {
      line.rate = parseDecimal(bytes, at + 1, end);
      if (!(line.rate > 0 && line.rate <= 1)) return 'rate';
    } else if (bytes[at] === 0x23) {
      line.tagsFrom = at + 1;
      line.tagsTo = end;
    }
    at = end + 1;
  }
  return '';
}

function find(bytes: Buffer, byte: number, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== byte) at++;
  return at;
}

function readType(bytes: Buffer, from: number, to: number, line: StatsdLine): boolean {
  const first = bytes[from];
  if (to === from + 2) {
    line.type = 'timer';
    return first === 0x6d && bytes[from + 1] === 0x73;
  }
  if (to !== from + 1) return false;
  // c: counter, g: gauge, h: histogram, d: DogStatsD's distribution, s: set
  if (first === 0x63) line.type = 'counter';
  else if (first === 0x67) line.type = 'gauge';
  else if (first === 0x68 || first === 0x64) line.type = 'histogram';
  else if (first === 0x73) line.type = 'set';
  else return false;
  return true;
}

/** So many digits are exact in a double, and so are the powers of ten that they are divided by. */
const exactDigitsMax = 15;
const powersOfTen = Float64Array.from({ length: exactDigitsMax + 1 }, (_, power) => 10 ** power);

/** The number in bytes[from, to), or NaN where it is none that is finite. */
export function parseDecimal(bytes: Buffer, from: number, to: number): number {
  let at = from;
  const isNegative = bytes[at] === 0x2d;
  if (isNegative || bytes[at] === 0x2b) at++;
  const digitsFrom = at;
  let value = 0;
  let decimals = -1;
  for (; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit >= 0 && digit <= 9) {
      value = value * 10 + digit;
      if (decimals >= 0) decimals++;
    } else if (digit === -2 && decimals < 0) decimals = 0;
    else break;
  }
  const digits = at - digitsFrom - (decimals >= 0 ? 1 : 0);
  if (at < to || digits > exactDigitsMax) return parseOther(bytes, from, to);
  if (digits < 1) return Number.NaN;
  const magnitude = decimals > 0 ? value / powersOfTen[decimals]! : value;
  return isNegative ? -magnitude : magnitude;
}

/** Exponents, and more digits than a double holds. */
function parseOther(bytes: Buffer, from: number, to: number): number {
  const text = bytes.toString('latin1', from, to);
  if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text)) return Number.NaN;
  const value = Number(text);
  return Number.isFinite(value) ? value : Number.NaN;
}
