/**
 * Goal: what is wrong on the command line is said with the flag and what would be right; a report is read back whole.
 * Method: flags as commander gives them; reports as files, whole and damaged.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { type LoadFlags, parseLoadFlags } from '#load/load-plan.ts';
import { type RunReport, readRunReport, writeRunReport } from '#load/run-report.ts';
import { ConfigError } from '#model/errors.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-plan-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const otlp = 'http://127.0.0.1:4318';
const good: LoadFlags = { seconds: '30', otlp };

test('defaults', () => {
  const plan = parseLoadFlags({ ...good, logFiles: '/l', verify: true, url: 'http://h:1/' });
  expect(plan).toMatchObject({
    pace: { seconds: 30, ratePerSecond: 1000 },
    files: { containers: 5, formats: ['cri'], rotation: { mode: 'rename', bytes: 10_485_760, kept: 4 } },
    shape: { lineBytes: 200, isSingleLine: false },
    headers: { 'x-scope-orgid': 'default' },
    verify: { apiUrl: 'http://h:1', settleSeconds: 60, sinceSeconds: 3600, pageLines: 5000 },
  });
  expect(plan.run).toMatch(/^[0-9a-f]{8}$/);
  expect(plan).not.toHaveProperty('remoteWriteUrl');
});

test('a token comes from a flag or from a file', () => {
  const path = join(directory, 'token');
  writeFileSync(path, 'from-file\n');
  expect(parseLoadFlags({ ...good, token: 't' }).headers).toMatchObject({ authorization: 'Bearer t' });
  expect(parseLoadFlags({ ...good, tokenFile: path }).headers.authorization).toBe('Bearer from-file');
});

test.each<{ flags: LoadFlags; fault: string }>([
  { flags: {}, fault: 'give --seconds and --rate to write a load, or --verify to look for one' },
  { flags: { rate: '5', otlp }, fault: '--rate needs --seconds' },
  {
    flags: { seconds: '5' },
    fault: 'a load needs a target: --log-files DIR, --otlp URL, --remote-write URL',
  },
  { flags: { ...good, seconds: '0' }, fault: '--seconds "0": give a whole number from 1 to 2000000' },
  { flags: { ...good, rate: '1e3' }, fault: '--rate "1e3": give a whole number from 1 to 10000000' },
  { flags: { ...good, run: 'a b' }, fault: '--run "a b": give 1 to 64 of the characters A-Z a-z 0-9 . _ -' },
  {
    flags: { ...good, otlp: 'localhost:4318' },
    fault: '--otlp "localhost:4318": give an http:// or https:// URL',
  },
  { flags: { ...good, remoteWrite: 'x' }, fault: '--remote-write "x": give an http:// or https:// URL' },
  {
    flags: { ...good, logFiles: '/l', format: 'cri,json' },
    fault: '--format "json": give cri, docker, plain',
  },
  {
    flags: { ...good, logFiles: '/l', rotate: 'daily' },
    fault: '--rotate "daily": give rename, copytruncate, none',
  },
  {
    flags: { ...good, logFiles: '/l', rotateBytes: '-1' },
    fault: '--rotate-bytes "-1": give a whole number',
  },
  { flags: { ...good, token: 'a', tokenFile: 'b' }, fault: 'give --token or --token-file, not both' },
  { flags: { ...good, tokenFile: '/no/such' }, fault: '--token-file: ENOENT' },
  { flags: { ...good, token: 'a\nb' }, fault: 'the token has a character that no header can carry' },
  { flags: { ...good, tenant: 'a/b' }, fault: '--tenant: the tenant in X-Scope-OrgID has a character' },
  { flags: { ...good, verify: true }, fault: '--verify needs --url, the base URL of the query API' },
  { flags: { verify: true, url: otlp }, fault: '--verify without a load needs --report FILE or --run ID' },
  {
    flags: { seconds: '5', remoteWrite: otlp, rate: '5000', series: '2' },
    fault: '--rate 5000 is too much for 2 series: raise --series',
  },
])('$fault', ({ flags, fault }) => {
  expect(() => parseLoadFlags(flags)).toThrow(ConfigError);
  expect(() => parseLoadFlags(flags)).toThrow(fault);
});

const report: RunReport = {
  version: 1,
  run: 'r1',
  tenant: 'default',
  startedUnixMs: 1,
  endedUnixMs: 2,
  spansPerTrace: 100,
  seriesCount: 100,
  agentLost: { deleted: { records: 3, bytes: 30 } },
  senders: [
    {
      ...{ name: 'log-file-1', kind: 'log_file', target: '/l', written: 7, acknowledged: 7, retries: 0 },
      ...{ rotations: 1, failure: '' },
    },
  ],
};

test('a report comes back as it was written', () => {
  const path = join(directory, 'report.json');
  writeRunReport(path, report);
  expect(readRunReport(path)).toEqual(report);
});

test.each([
  { name: 'no JSON', text: '{', fault: 'cannot read the report' },
  {
    name: 'another version',
    text: JSON.stringify({ ...report, version: 2 }),
    fault: 'no report of sonde load: version',
  },
  {
    name: 'a count that is none',
    text: JSON.stringify({ ...report, senders: [{ ...report.senders[0], written: -1 }] }),
    fault: 'no report of sonde load: senders.0.written',
  },
  { name: 'no object', text: '[]', fault: 'no report of sonde load: the file' },
])('a report with $name is refused', ({ text, fault }) => {
  const path = join(directory, 'damaged.json');
  writeFileSync(path, text);
  expect(() => readRunReport(path)).toThrow(fault);
});

test('a report that is not there is named', () => {
  expect(() => readRunReport('/no/such.json')).toThrow('cannot read the report /no/such.json: ENOENT');
});
