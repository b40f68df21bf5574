/**
 * Goal: the examples of docs/agent/processors.md work as they stand.
 * Method: load each YAML block, start its processors with the module of the page's TypeScript block, run lines through them.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { encodeRequest } from '#agent/processors/module/record-objects.ts';
import { decodeProcessed, process, startProcessors } from './processed-text.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/agent/processors.md'), 'utf8');
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``, 'g'))].map(([, text]) => text!);

/** A block is a whole configuration, or a list of entries. */
function entriesOf(yaml: string): unknown[] {
  const value = parse(yaml) as unknown[] | { agent: { logs: { processors: unknown[] } } };
  return Array.isArray(value) ? value : value.agent.logs.processors;
}

const lines = [
  '{"time":"2026-01-02T03:04:05Z","level":"error","msg":"card 4111 1111 1111 1111"}',
  'GET /healthz 200',
  'GET /cart 500 status=503 in 12.5 ms',
  'DEBUG trace_id=0af7 of ada@example.org',
].join('\n');
const resource = { 'service.name': 'web', 'k8s.namespace.name': 'shop-eu' };

const builtIn = blocks('yaml').filter((yaml) => !yaml.includes('module:'));

test('the page has examples', () => expect(builtIn.length).toBeGreaterThanOrEqual(6));

test.each(builtIn)('%s', async (yaml) => {
  const processors = await startProcessors(stringify(entriesOf(yaml)));
  onTestFinished(() => processors.stop({ drainMs: 0 }));
  const { records, dropped, settle } = process(processors, lines, resource);
  settle();
  expect(records.length + dropped).toBe(4);
  const totals = processors.totals();
  expect(
    totals.some(({ changed, notes, in: taken }) => changed + taken + Object.keys(notes).length > 0),
  ).toBe(true);
  expect(totals.every(({ errors }) => errors === 0)).toBe(true);
});

test('the first example drops health checks and debug lines, and hides the card', async () => {
  const processors = await startProcessors(stringify(entriesOf(builtIn[0]!)));
  onTestFinished(() => processors.stop({ drainMs: 0 }));
  const { records } = process(processors, lines, resource);
  expect(records.map(({ body, severity }) => `${severity}|${body}`)).toEqual([
    'ERROR 17|{"time":"2026-01-02T03:04:05Z","level":"error","msg":"card [credit_card]"}',
    '|GET /cart 500 status=503 in 12.5 ms',
  ]);
});

test('the module of the page loads and runs', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'sonde-page-'));
  writeFileSync(join(directory, 'mask-team.ts'), blocks('ts')[0]!);
  const yaml = blocks('yaml').find((text) => text.includes('module:'))!;
  const processors = await startProcessors(yaml.replace('/etc/sonde/', './'), { directory });
  onTestFinished(() => processors.stop({ drainMs: 0 }));
  const shop = { 'k8s.namespace.name': 'shop' };
  const blank = { severityNumber: 0, severityText: '', timeUnixNano: 0n, attributes: {}, resource: shop };
  const records = [
    { body: 'noise', ...blank },
    { body: 'signal', ...blank },
  ];
  const batch = await processors.modules!.run(
    encodeRequest([{ resourceBytes: new Uint8Array(), resource: shop, records }]),
    [shop],
    [2],
  );
  expect(decodeProcessed(batch.bytes)).toMatchObject([{ body: 'signal', attributes: { team: 'shop' } }]);
});
