/**
 * Goal: a sample is left out only where its row is in the store.
 * Method: runs with the standings that a pipeline would give them, through the transcoder; and the standings themselves.
 */
import { expect, test } from 'vitest';
import type { RunStanding, TranscodeTask } from '#collector/run.ts';
import { RunStandings } from '#collector/run-standings.ts';
import { createTranscoder } from '#collector/transcode/transcoder.ts';
import { encodeRemoteWrite2 } from '../../support/naive/prometheus-proto.ts';

const timestamp = 1_700_000_000_000;

const samples = (...all: readonly (readonly [value: number, timestamp?: number])[]): Uint8Array =>
  encodeRemoteWrite2({
    symbols: ['', '__name__', 'm'],
    timeseries: [
      { labelsRefs: [1, 2], samples: all.map(([value, time]) => ({ value, timestamp: time ?? timestamp })) },
    ],
  });

const task = (bodies: readonly Uint8Array[], standing?: RunStanding, seriesEpoch = 0): TranscodeTask => ({
  requests: bodies.map((bytes) => ({ signal: 'remote_write', tenant: 'default', bytes })),
  nowUnixMs: timestamp,
  oldestUnixMs: Number.NEGATIVE_INFINITY,
  seriesEpoch,
  ...(standing === undefined ? {} : { standing }),
});

/** Rows in the block, and what became of each request: `accepted` or `accepted-refused`. */
function run(transcode: ReturnType<typeof createTranscoder>, of: TranscodeTask): string {
  const { blocks, outcomes } = transcode(of);
  const rows = blocks.find(({ table }) => table === 'samples_head')?.rowCount ?? 0;
  const counts = outcomes.map(({ accepted, rejections }) =>
    [accepted, ...rejections.map(({ count, reason }) => `${reason}:${count}`)].join('-'),
  );
  return `${rows} rows of ${counts.join()}`;
}

test('within a run the newest sample is known, and older ones are not', () => {
  const bodies = [
    samples([1]),
    samples([1]),
    samples([2]),
    samples([5, timestamp + 1], [1]),
    samples([6, timestamp - 9]),
  ];
  expect(run(createTranscoder(), task(bodies))).toBe('4 rows of 1,1,0-duplicate_timestamp:1,2,1');
});

test.each([
  { name: 'an earlier run that is stored', standing: { number: 1, storedFrom: 0, storedBelow: 1 }, rows: 0 },
  {
    name: 'an earlier run that is under way',
    standing: { number: 1, storedFrom: 0, storedBelow: 0 },
    rows: 1,
  },
  { name: 'an earlier run that failed', standing: { number: 1, storedFrom: 1, storedBelow: 1 }, rows: 1 },
  { name: 'whatever there was, without a standing', standing: undefined, rows: 1 },
])('$name: $rows rows of a repeat', ({ standing, rows }) => {
  const transcode = createTranscoder();
  run(transcode, task([samples([1])], { number: 0, storedFrom: 0, storedBelow: 0 }));
  expect(run(transcode, task([samples([1])], standing))).toBe(`${rows} rows of 1`);
});

test('what a request that cannot be decoded brought is forgotten with its rows', () => {
  const transcode = createTranscoder();
  // The fault is in a second series: the first was read, and is taken back.
  const cut = Uint8Array.from([...samples([1]), 0x2a, 0x02, 0x0a, 0x05]);
  expect(run(transcode, task([cut, samples([2]), samples([1])]))).toBe(
    '1 rows of 0,1,0-duplicate_timestamp:1',
  );
});

test('a cache that was emptied knows nothing', () => {
  const transcode = createTranscoder();
  const stored = (number: number): RunStanding => ({ number, storedFrom: 0, storedBelow: number });
  run(transcode, task([samples([1])], stored(0)));
  expect(run(transcode, task([samples([1])], stored(1), 1))).toBe('1 rows of 1');
});

test('standings: below the oldest run under way, and from after the last that failed', () => {
  const standings = new RunStandings();
  const begin = (): string => {
    const { number, storedFrom, storedBelow } = standings.of(standings.begin());
    return `${number}: [${storedFrom}, ${storedBelow})`;
  };
  expect([begin(), begin()]).toEqual(['0: [0, 0)', '1: [0, 0)']);
  standings.end(0, true);
  expect(begin()).toBe('2: [0, 1)');
  standings.end(1, false);
  expect(begin()).toBe('3: [3, 2)');
  standings.end(2, true);
  standings.end(3, true);
  expect(begin()).toBe('4: [3, 4)');
});
