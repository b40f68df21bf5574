/**
 * Runs the whole test suite and ends with one plain line: `N passed, N failed, N skipped`.
 * The numbers come from vitest's own JSON report, never from its screen output.
 *
 *   node test/run.ts [--coverage] [vitest arguments]
 *
 * In CI the line coverage of the pure folders is gated too (vitest.config.ts has the numbers).
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly success: boolean;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly unknown[];
  }[];
}

const coverage = process.env.CI && !process.argv.includes('--coverage') ? ['--coverage'] : [];
const directory = mkdtempSync(join(tmpdir(), 'sonde-test-'));
const reportPath = join(directory, 'report.json');
const vitest = join(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
const run = spawnSync(
  process.execPath,
  [
    vitest,
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportPath}`,
    ...coverage,
    ...process.argv.slice(2),
  ],
  { stdio: ['ignore', 'inherit', 'inherit'], cwd: join(import.meta.dirname, '..') },
);
let exitCode = run.status ?? 1;
try {
  const report = JSON.parse(readFileSync(reportPath, 'utf8')) as VitestReport;
  // A file that fails to load has no tests in the report: it counts as one failure.
  const brokenFiles = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + brokenFiles;
  const skipped = report.numPendingTests + report.numTodoTests;
  if (failed > 0 || report.numPassedTests === 0) exitCode ||= 1;
  console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped} skipped`);
} catch (error) {
  console.error(`vitest left no report: ${String(error)}`);
  console.log('0 passed, 1 failed, 0 skipped');
  exitCode ||= 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
process.exitCode = exitCode;
