/**
 * Own log lines for a person at a terminal: pino's JSON in, `warn  a scrape failed  url=http://...` out. Where the output
 * is a file or a pipe, the JSON goes there as it is.
 */
import { type DestinationStream, pino } from 'pino';

const levelNames: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};
const hiddenFields = new Set(['level', 'time', 'pid', 'hostname', 'name', 'msg', 'v']);

/** Where pino writes to. The status line is cleared before each line; its next drawing comes after. */
export function logDestination(output: NodeJS.WriteStream): DestinationStream {
  if (!output.isTTY) return pino.destination(2);
  return { write: (line) => void output.write(`\r\u001b[2K${renderLogLine(line)}\n`) };
}

/** Returns a line as it is where it is not pino's JSON. */
export function renderLogLine(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line.trimEnd();
  }
  const fields = Object.entries(entry)
    .filter(([name]) => !hiddenFields.has(name))
    .map(([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const level = levelNames[Number(entry.level)] ?? 'info';
  return [level.padEnd(5), String(entry.msg ?? ''), ...fields].join('  ');
}
