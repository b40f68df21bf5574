/**
 * Goal: the example and the names in docs/agent/scraping.md are true.
 * Method: the example is checked by the options' own schemas, the loss reasons are compared with the code.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { agentOptions } from '#agent/agent-options.ts';
import { SampleCounts } from '#agent/scrape/sample-queue.ts';

const document = readFileSync(join(import.meta.dirname, '../../../docs/agent/scraping.md'), 'utf8');

test('the example is a configuration', () => {
  const [, text = ''] = /```yaml\n([\s\S]*?)```/.exec(document) ?? [];
  const { agent } = parse(text) as { agent: Record<string, unknown> };
  expect(Object.keys(agent)).toEqual(['scrape.targets']);
  expect(agentOptions['scrape.targets'].schema.parse(agent['scrape.targets'])).toHaveLength(1);
});

test('every option and every reason of a loss that it names exists', () => {
  const options = [...document.matchAll(/`agent\.([a-z_.]+)`/g)].map(([, key]) => key!);
  expect(options.length).toBeGreaterThan(2);
  expect(options.filter((key) => !(key in agentOptions))).toEqual([]);
  const reasons = [...document.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, reason]) => reason!);
  expect(reasons.sort()).toEqual(Object.keys(new SampleCounts().lost).sort());
});
