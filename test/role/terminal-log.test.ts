/** Goal: a person at a terminal reads own log lines as text. Method: lines as pino writes them. */
import { expect, test } from 'vitest';
import { renderBytes } from '../../role/status-line.ts';
import { renderLogLine } from '../../role/terminal-log.ts';

test.each([
  [
    '{"level":40,"time":1,"pid":2,"hostname":"h","name":"sonde-up","url":"http://x/metrics","msg":"a scrape failed"}\n',
    'warn   a scrape failed  url=http://x/metrics',
  ],
  [
    '{"level":30,"applied":[1,2],"msg":"the tables were migrated"}',
    'info   the tables were migrated  applied=[1,2]',
  ],
  ['not JSON\n', 'not JSON'],
])('%s', (line, text) => expect(renderLogLine(line)).toBe(text));

test.each([
  [0, '0 B'],
  [1536, '1.5 KiB'],
  [5 * 1024 ** 3, '5.0 GiB'],
])('%d bytes', (bytes, text) => expect(renderBytes(bytes)).toBe(text));
