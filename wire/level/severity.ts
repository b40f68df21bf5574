/**
 * OTLP severity to a level: one of seven words that dashboards filter by.
 *
 *   severity_number 9..12 -> info      severity_number 0, severity_text "WARNING" -> warn
 */
export const levels = ['unknown', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
const unknown = 0;

/** OTLP 1.x, Logs data model: six ranges of four numbers. */
export const severityNumberMax = 24;

/** Returns an index in `levels`; 0 for a number outside of 1..24. */
export function levelOfNumber(severityNumber: number): number {
  if (severityNumber < 1 || severityNumber > severityNumberMax) return unknown;
  return ((severityNumber + 3) / 4) | 0;
}

/** What loggers write, lower-case: syslog, log4j, Python, Go, zap, Windows. */
export const levelWords: readonly (readonly [(typeof levels)[number], string])[] = [
  ['trace', 'trace trc verbose finest finer'],
  ['debug', 'debug dbg fine'],
  ['info', 'info inf information informational notice config'],
  ['warn', 'warn warning wrn'],
  ['error', 'error err eror severe'],
  ['fatal', 'fatal critical crit alert emerg emergency panic dpanic ftl'],
];

const levelOfWord = new Map(
  levelWords.flatMap(([level, words]) =>
    words.split(' ').map((word) => [word, levels.indexOf(level)] as const),
  ),
);

/** Returns an index in `levels`; 0 for a text that no logger is known to write. A digit after a word is ignored. */
export function levelOfText(severityText: string): number {
  const word = severityText
    .trim()
    .toLowerCase()
    .replace(/[1-4]$/, '');
  return levelOfWord.get(word) ?? unknown;
}
