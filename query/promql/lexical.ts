/** PromQL's words: what the scanner cuts, and which words are keywords. Error texts are Prometheus's. */

import { scanQuantity } from '../language/quantity.ts';
import { quoteChar } from '../language/quoted-string.ts';
import type { ScanContext, ScanRules } from '../language/scanner.ts';
import { isAlpha } from '../language/scanner.ts';

const statementOperators = [
  ...[
    '==',
    '!=',
    '</',
    '>/',
    '<=',
    '>=',
    '+',
    '-',
    '*',
    '/',
    '%',
    '^',
    '<',
    '>',
    '=',
    '(',
    ')',
    '{',
    '}',
    '[',
    ']',
  ],
  ...[',', '@'],
];

function refuseStatement(text: string, position: number): string {
  const char = text[position];
  if (char === '!') return `unexpected character after '!': ${quoteChar(text, position + 1)}`;
  if (char === '=') return `unexpected character after '=': ${quoteChar(text, position + 1)}`;
  if (char === ']') return `unexpected right bracket ${quoteChar(text, position)}`;
  if (char === '[') return `unexpected left bracket ${quoteChar(text, position)}`;
  return `unexpected character: ${quoteChar(text, position)}`;
}

const statement: ScanContext = {
  operators: statementOperators.filter((operator) => operator !== ']' && operator !== '}'),
  refused: ['=~'],
  leadsTo: { '{': 'braces', '[': 'brackets' },
  words: 'colons',
  hasStrings: true,
  hasQuantities: true,
  hasComments: true,
  refuse: refuseStatement,
};

const braces: ScanContext = {
  operators: ['=~', '!~', '!=', '=', ',', '}'],
  leadsTo: { '}': 'statement' },
  words: 'plain',
  hasStrings: true,
  hasQuantities: false,
  hasComments: true,
  unclosed: 'unexpected end of input inside braces',
  refuse: (text, position) => {
    if (text[position] === '!') {
      return `unexpected character after '!' inside braces: ${quoteChar(text, position + 1)}`;
    }
    if (text[position] === '{') return `unexpected left brace ${quoteChar(text, position)}`;
    return `unexpected character inside braces: ${quoteChar(text, position)}`;
  },
};

/** Names of metrics and functions everywhere but in durations. */
export const choiceWords: ReadonlySet<string> = new Set(['min_of', 'max_of']);
const durationWords: ReadonlySet<string> = new Set(['step', 'range', ...choiceWords]);

/** Just after '[', and as long as no number or duration was read. */
const brackets: ScanContext = {
  operators: [']', '(', ')', '+', '-', '*', '/', '%', '^', ','],
  // What ends a call, or a group, is a duration too.
  leadsTo: { ']': 'statement', ')': 'bracketsRest' },
  afterQuantity: 'bracketsRest',
  words: durationWords,
  hasStrings: false,
  hasQuantities: true,
  hasComments: false,
  unclosed: 'unexpected end of input in duration expression',
  refusedAfter: ':',
  refuse: (text, position) =>
    text[position] === ':'
      ? 'unexpected colon before duration in duration expression'
      : `unexpected character in duration expression: ${quoteChar(text, position)}`,
};

/** Between brackets after a number or duration. */
const bracketsRest: ScanContext = {
  operators: [':', ...statementOperators.filter((operator) => operator !== '[')],
  refused: ['=~'],
  leadsTo: { ']': 'statement', '{': 'braces' },
  words: durationWords,
  hasStrings: true,
  hasQuantities: true,
  hasComments: true,
  unclosed: 'unclosed left bracket',
  parenthesesFirst: true,
  refuse: (text, position) =>
    isAlpha(text.charAt(position))
      ? `unexpected character: ${quoteChar(text, position)}, expected ':'`
      : refuseStatement(text, position),
};

export const promqlScanRules: ScanRules = {
  contexts: { statement, braces, brackets, bracketsRest },
  contextFirst: 'statement',
  quantity: scanQuantity,
  messages: {
    unterminatedString: 'unterminated quoted string',
    unterminatedRawString: 'unterminated raw string',
    unopenedParenthesis: "unexpected right parenthesis ')'",
    unclosedParenthesis: 'unclosed left parenthesis',
  },
};

const set = (text: string) => new Set(text.split(' '));

export const aggregatorWords = set(
  'avg bottomk count count_values group limitk limit_ratio max min quantile stddev stdvar sum topk',
);
/** Operators that are words. */
export const operatorWords = set('and or unless atan2');
/** Words that Prometheus prints as <word>. */
export const keywordWords = set(
  'bool by group_left group_right ignoring offset smoothed anchored on without fill fill_left fill_right',
);
const boundWords = set('start end step range');

/** Keywords that may also name a metric. */
const metricWords = set('and or unless by offset without start end step range anchored smoothed');
/** Keywords that are words of their own only before "(". */
export const callWords = set('fill fill_left fill_right');

export function isKeyword(word: string): boolean {
  const lower = word.toLowerCase();
  return (
    aggregatorWords.has(lower) ||
    operatorWords.has(lower) ||
    (keywordWords.has(lower) && !callWords.has(lower)) ||
    boundWords.has(lower) ||
    isNumberWord(lower)
  );
}

/** Inf and NaN, in any case. */
export function isNumberWord(word: string): boolean {
  const lower = word.toLowerCase();
  return lower === 'inf' || lower === 'nan';
}

/** Whether a word may stand as a metric's name. */
export function isMetricWord(word: string): boolean {
  const lower = word.toLowerCase();
  return !isKeyword(word) || aggregatorWords.has(lower) || metricWords.has(lower);
}
