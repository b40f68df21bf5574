/**
 * A process that checks what a killed compaction has left, ends its work, adds samples and compacts them, until it
 * kills itself at a step. It prints what it found wrong, or "ok"; then the step it dies before.
 *
 *   node crash-child.ts <data directory> <rounds so far> <step> <nth time>
 */

import { compactClosed } from '#store/compaction/compactor.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import {
  bitsOf,
  dayMs,
  expectedSamples,
  hourMs,
  insertSamples,
  insertSeries,
  readSamples,
  type StoredSample,
  sorted,
  staleBits,
} from './stored-samples.ts';

const [path, rounds, step, nth] = process.argv.slice(2) as [string, string, string, string];
const seriesCount = 20;

/** Two windows, 20 series, each round between the samples of the one before; some markers, some sent twice. */
function samplesOf(round: number): StoredSample[] {
  const samples: StoredSample[] = [];
  for (let series = 1; series <= seriesCount; series++) {
    for (let i = 0; i < 48; i++) {
      const timeMs = dayMs + i * (hourMs / 12) + round - (i % 7 === 0 ? 1 : 0);
      const bits = (series + i + round) % 11 === 0 ? staleBits : bitsOf(series * 1000 + i + round / 10);
      samples.push({ series, timeMs, bits });
    }
  }
  return samples;
}

function fail(text: string): never {
  console.log(text);
  process.exit(1);
}

const store = await openEmbeddedStore({ path });
await migrate(store);
const log = { info: () => {}, error: (fields: object) => fail(JSON.stringify(fields)) };
const options = { latenessMs: 0, nowMs: dayMs + 24 * hourMs, log, sliceSamplesMax: 300 };
const never = new AbortController().signal;

async function check(roundCount: number, when: string): Promise<void> {
  const samples = Array.from({ length: roundCount }, (_, round) => samplesOf(round)).flat();
  const [found, wanted] = [sorted(await readSamples(store)), expectedSamples(samples)];
  if (JSON.stringify([...found]) !== JSON.stringify([...wanted]))
    fail(`${when}: ${found.size} samples, not the ${wanted.size} that were inserted, or other bits`);
}

async function total(sql: string): Promise<number> {
  const [row] = await store.rows<{ n: string }>(sql);
  return Number(row?.n);
}

if (rounds === '0') await insertSeries(store, seriesCount);
await check(Number(rounds), 'after the restart');
await compactClosed(store, options, never);
await check(Number(rounds), 'after the work was ended');
const left = await total(
  'SELECT (SELECT count() FROM samples_head) + (SELECT count() FROM samples_closing) AS n',
);
if (left > 0) fail(`${left} rows were left behind`);
const live = 'v[i] != v[i] AND reinterpretAsUInt64(v[i]) = 9218868437227405314';
const cells = await total('SELECT sum(n) AS n FROM samples_5m FINAL');
const samples = await total(
  `SELECT uniqExactIf((id, ts[i]), NOT (${live})) AS n FROM samples_chunk ARRAY JOIN arrayEnumerate(ts) AS i`,
);
if (cells !== samples) fail(`cells have ${cells} samples, chunks have ${samples}`);

const added = samplesOf(Number(rounds));
for (let part = 0; part < 3; part++)
  await insertSamples(
    store,
    added.filter((_, i) => i % 3 === part),
  );
console.log('ok');
let times = 0;
await compactClosed(
  store,
  {
    ...options,
    failpoint: (next) => {
      if (next !== step || ++times < Number(nth)) return;
      console.log(`killed before ${step} ${nth}`);
      process.kill(process.pid, 'SIGKILL');
    },
  },
  never,
);
await check(Number(rounds) + 1, 'without a kill');
console.log('done');
await store.close();
