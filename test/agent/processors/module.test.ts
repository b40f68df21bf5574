/**
 * Goal: a module of a user's own changes what it says, and can neither stop nor spoil the logs.
 * Method: modules in files of a temporary directory, in real threads, given requests as the agent makes them.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { LogProcessors } from '#agent/processors/log-processors.ts';
import { encodeRequest } from '#agent/processors/module/record-objects.ts';
import { encodeKeyValues } from '#wire/otlp/key-values.ts';
import { resourceAttributesField } from '#wire/otlp/logs-request.ts';
import { until } from '../logs/log-agent-run.ts';
import { decodeProcessed, logged, startProcessors } from './processed-text.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-module-'));

async function start(source: string, entry = ''): Promise<LogProcessors> {
  writeFileSync(join(directory, 'mine.ts'), source);
  const processors = await startProcessors(`- module: ./mine.ts\n${entry}`, { directory });
  onTestFinished(() => processors.stop({ drainMs: 0 }));
  return processors;
}

const web = { 'service.name': 'web' };
const db = { 'service.name': 'db' };

/** Two resources, each with these bodies, as a batch. */
async function run(processors: LogProcessors, bodies: readonly string[]): Promise<string[]> {
  const groups = [web, db].map((resource) => ({
    resourceBytes: encodeKeyValues(resourceAttributesField, resource),
    resource,
    records: bodies.map((body) => ({
      body,
      severityNumber: 9,
      severityText: 'INFO',
      timeUnixNano: 1_767_323_045_000_000_006n,
      attributes: { n: 1 },
      resource,
    })),
  }));
  const request = encodeRequest(groups);
  const batch = await processors.modules!.run(request, [web, db], [bodies.length, bodies.length]);
  batch.settle();
  const records = decodeProcessed(batch.bytes);
  expect(batch.records.reduce((total, count) => total + count, 0)).toBe(records.length);
  return records.map(({ body, resource }) => `${String(resource['service.name'])}:${body}`);
}

const typed = (process: string): string => `
import { defineLogProcessor, type LogRecord } from 'sonde/log-processor';
import { z } from 'zod';
export default defineLogProcessor({
  options: z.strictObject({ word: z.string().default('drop me') }),
  create({ word }) {
    return { process(record: LogRecord) { ${process} } };
  },
});`;

test('records are kept, dropped and changed, for the resources that are meant', async () => {
  const processors = await start(
    typed(`
      if (record.body === word) return 'drop';
      if (record.body.startsWith('x')) return { ...record, body: record.body + record.attributes.n + '\\ud800', severityNumber: 17 };
      return undefined;`),
    '  when: { service.name: web }\n  options: { word: gone }',
  );
  expect(await run(processors, ['gone', 'x', 'y'])).toEqual([
    'web:x1\ufffd',
    'web:y',
    'db:gone',
    'db:x',
    'db:y',
  ]);
  expect(processors.totals()).toMatchObject([
    { processor: '0.module', in: 3, dropped: 1, changed: 1, errors: 0 },
  ]);
  expect(await run(processors, ['gone'])).toEqual(['db:gone']);
});

test('a batch that loses all its records is empty', async () => {
  const processors = await start(typed(`return 'drop';`));
  expect(await run(processors, ['a', 'b'])).toEqual([]);
});

test('a module that throws costs nothing, is said with its line, and runs again', async () => {
  const processors = await start(typed(`\nif (record.body === 'bad') throw new Error('no good');`));
  expect(await run(processors, ['bad'])).toEqual(['web:bad', 'db:bad']);
  expect(processors.modules!.problems()).toEqual([expect.stringMatching(/mine\.ts:8: no good$/)]);
  expect(processors.totals()).toMatchObject([{ in: 2, dropped: 0, errors: 2 }]);
  // Not there: at once, without waiting for it.
  expect(await run(processors, ['a'])).toEqual(['web:a', 'db:a']);
  await until('the module is back', () => processors.modules!.problems().length === 0);
  expect(await run(processors, ['a'])).toEqual(['web:a', 'db:a']);
  expect(processors.totals()).toMatchObject([{ in: 6, errors: 4 }]);
});

test('a module that hangs is ended, and with on_error: drop its records are dropped and counted', async () => {
  const processors = await start(
    typed(`if (record.body === 'hang') for (;;) {}`),
    '  timeout_ms: 100\n  on_error: drop\n  when: { service.name: web }',
  );
  expect(await run(processors, ['hang', 'b'])).toEqual(['db:hang', 'db:b']);
  expect(processors.totals()).toMatchObject([{ in: 2, dropped: 2, errors: 2 }]);
  expect(processors.modules!.problems()).toEqual([
    expect.stringContaining('took longer than 100 ms for a batch'),
  ]);
});

test('a module that takes more memory than it may is ended', async () => {
  const processors = await start(
    typed(`const all = []; for (;;) all.push(new Array(10_000).fill(record.body + all.length));`),
    '  memory_mb: 16\n  timeout_ms: 60000',
  );
  expect(await run(processors, ['a'])).toEqual(['web:a', 'db:a']);
  expect(processors.modules!.problems()).toEqual([expect.stringMatching(/memory/i)]);
});

test('a batch that a module blows up goes on as it was', async () => {
  const processors = await start(typed(`return { ...record, body: record.body.repeat(600_000) };`));
  expect(await run(processors, ['a'])).toEqual(['web:a', 'db:a']);
  expect(processors.totals()).toMatchObject([{ in: 2, errors: 2 }]);
  expect(logged.at(-1)).toContain('a log processor made a batch too large');
});

test('what a module may not return fails the batch', async () => {
  const processors = await start(typed(`return { ...record, attributes: { a: { b: 1 } } } as never;`));
  expect(await run(processors, ['a'])).toEqual(['web:a', 'db:a']);
  expect(processors.modules!.problems()).toEqual([
    expect.stringContaining('wrong attributes.a: expected a string, number, bigint or boolean'),
  ]);
});

test.each([
  ['a syntax error', 'const a = 1;\nconst = 2;\n', /at 0\.module: .*mine\.ts:2: /],
  ['TypeScript that cannot be stripped', 'const a = 1;\nenum B { C }\n', /mine\.ts.*enum/],
  ['an error while it loads', 'const a = 1;\n\nthrow new Error("not today");\n', /mine\.ts:3: not today/],
  ['a missing import', "import './nowhere.ts';\n", /mine\.ts.*Cannot find module/],
  ['no processor', 'export const a = 1;\n', /mine\.ts: the default export is no log processor/],
  ['options that it refuses', typed(''), /mine\.ts: options\.word: Invalid input: expected string/],
])('a module that cannot be loaded is a configuration error: %s', async (_, source, message) => {
  await expect(start(source, '  options: { word: 7 }')).rejects.toThrow(message);
  await expect(start(source, '  options: { word: 7 }')).rejects.toThrow(
    expect.objectContaining({ code: 'SONDE_CONFIG' }),
  );
});

test('a module that is not there is named', async () => {
  await expect(startProcessors('- module: ./absent.ts', { directory })).rejects.toThrow(
    /absent\.ts.*Cannot find module/,
  );
});
