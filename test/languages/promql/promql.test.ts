/**
 * Goal: PromQL means what Prometheus says it means.
 * Method: promqltest scripts. Ours lie beside this file; Prometheus's own are read from a folder next to the
 * project's, where there is one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parsePromql } from '#query/promql/parser.ts';
import { printPromql } from '#query/promql/printer.ts';
import { runScript } from './promqltest-runner.ts';
import { parseScript } from './promqltest-script.ts';

const ours = new URL('./', import.meta.url);
const foreign = new URL('../../../../shared/conformance/promql/', import.meta.url);

function scriptsIn(folder: URL): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.test'));
}

describe('our own scripts pass', () => {
  test.each(scriptsIn(ours))('%s', async (name) => {
    const results = await runScript(readFileSync(new URL(name, ours), 'utf8'));
    expect(results.length).toBeGreaterThan(5);
    expect(results.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
  });
});

if (!existsSync(foreign)) console.warn(`SKIPPED: Prometheus's own scripts are not at ${foreign.pathname}`);

describe.skipIf(!existsSync(foreign))("Prometheus's own scripts pass", () => {
  const scripts = existsSync(foreign) ? scriptsIn(foreign) : [];

  test.each(scripts)('%s', async (name) => {
    const results = await runScript(readFileSync(new URL(name, foreign), 'utf8'));
    console.info(`${name}: ${results.length} cases`);
    expect(results.filter(({ outcome }) => outcome === 'failed')).toEqual([]);
    expect(results.length).toBeGreaterThan(0);
  });

  test('what they parse is printed and parsed back to the same text', () => {
    let count = 0;
    for (const name of scripts) {
      for (const { command } of parseScript(readFileSync(new URL(name, foreign), 'utf8'))) {
        const expression = /^eval\w* (?:instant at \S+|range from \S+ to \S+ step \S+)\s+(.*)$/s.exec(
          command,
        )?.[1];
        const printed = expression === undefined ? undefined : printIfParsed(expression);
        if (printed === undefined) continue;
        expect(printPromql(parsePromql(printed))).toBe(printed);
        count++;
      }
    }
    expect(count).toBeGreaterThan(1000);
  });
});

/** Undefined where the expression is a mistake. */
function printIfParsed(expression: string): string | undefined {
  try {
    return printPromql(parsePromql(expression));
  } catch {
    return undefined;
  }
}
