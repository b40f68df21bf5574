/** LogQL's words: what the scanner cuts, and which words are keywords. Error texts are Loki's. */
import type { Quantity, ScanContext, ScanRules } from '../language/scanner.ts';
import { parseDurationNano } from './duration.ts';

const unterminated = 'literal not terminated';

const statement: ScanContext = {
  operators: [
    ...['|=', '|~', '|>', '!=', '!~', '!>', '=~', '==', '>=', '<=', '{', '}', '[', ']', '(', ')', ','],
    ...['=', '|', '+', '-', '*', '/', '%', '^', '>', '<', '.'],
  ],
  words: 'plain',
  hasStrings: true,
  hasQuantities: true,
  hasComments: true,
  refuse: () => 'syntax error: unexpected $unk',
};

export const logqlScanRules: ScanRules = {
  contexts: { statement },
  contextFirst: 'statement',
  quantity: scanQuantity,
  messages: { unterminatedString: unterminated, unterminatedRawString: unterminated },
};

const numberPattern = /(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const quantityPattern = /[0-9.]+(?:[a-zA-Zµμ]+[0-9.]*)*/y;
const bytesPattern = /^[0-9.]+(?:[kKMGTPE]i?)?[bB]$/;

/** Loki reads sizes and durations before plain numbers. */
function scanQuantity(text: string, start: number): Quantity {
  quantityPattern.lastIndex = start;
  const run = quantityPattern.exec(text)?.[0] ?? '';
  const end = start + run.length;
  if (/[a-zA-Zµμ]$/.test(run)) {
    if (parseDurationNano(run) !== undefined) return { kind: 'duration', end };
    if (bytesPattern.test(run)) return { kind: 'bytes', end };
  }
  numberPattern.lastIndex = start;
  const number = numberPattern.exec(text)?.[0] ?? '';
  // "1x" is a number and a word, as in Go; the parser refuses what follows.
  return number === ''
    ? { kind: 'error', end, message: 'syntax error: unexpected $unk' }
    : { kind: 'number', end: start + number.length };
}

/** The scanner's own words for a broken string become Go's. */
export function lexicalMessage(message: string): string {
  if (message === unterminated || message.startsWith('syntax error')) return message;
  return message.startsWith('invalid UTF-8') ? 'invalid UTF-8 encoding' : 'invalid char escape';
}

const set = (text: string): ReadonlySet<string> => new Set(text.split(' '));

/** Words that a label cannot be named by; Loki prints them as they are where it did not expect them. */
export const keywords = set(
  'by without and or unless on ignoring group_left group_right bool offset unwrap json logfmt regexp pattern unpack ' +
    'line_format label_format decolorize drop keep distinct ip',
);

/** Functions over a range that we do not have. */
export const rangeFunctionsMissing = set(
  'rate_counter avg_over_time sum_over_time min_over_time max_over_time stdvar_over_time stddev_over_time ' +
    'quantile_over_time first_over_time last_over_time absent_over_time approx_topk',
);
/** Other functions and aggregators that we do not have. */
export const functionsMissing = set(
  'label_replace topk bottomk stddev stdvar sort sort_desc variants bytes duration duration_seconds',
);
