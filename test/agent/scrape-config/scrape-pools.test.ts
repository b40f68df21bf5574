/**
 * Goal: jobs and discoveries become one list of targets, each change is told once, and nothing is looked for twice.
 * Method: discoveries that the test drives by hand.
 */
import { expect, onTestFinished, test } from 'vitest';
import type { TargetGroup } from '#agent/discovery/target-group.ts';
import { scrapeConfigSchema } from '#agent/scrape-config/scrape-config-schema.ts';
import { type ScrapeJob, scrapeJob } from '#agent/scrape-config/scrape-job.ts';
import { ScrapePools } from '#agent/scrape-config/scrape-pools.ts';
import { targetsReport } from '#agent/scrape-config/targets-report.ts';
import { eventually } from '../../support/eventually.ts';

const job = (config: object): ScrapeJob => scrapeJob(scrapeConfigSchema.parse(config), {}, '/');
const group = (source: string, ...addresses: string[]): TargetGroup => ({
  source,
  targets: addresses.map((address) => ({ __address__: address })),
  labels: {},
});

class Driven {
  readonly started: string[] = [];
  readonly stopped: string[] = [];
  problem = '';
  tell = new Map<string, (groups: readonly TargetGroup[]) => void>();
  told: string[] = [];
  readonly pools: ScrapePools;

  constructor(options: { patienceMs?: number }) {
    this.pools = new ScrapePools({
      coalesceMs: 1,
      ...options,
      discoveryOf: (spec) => (onGroups) => {
        const name = spec.kind === 'file' ? spec.config.files.join() : spec.kind;
        this.started.push(name);
        this.tell.set(name, onGroups);
        return {
          problem: () => this.problem,
          stop: async () => {
            this.stopped.push(name);
          },
        };
      },
      onTargets: (targets) => {
        this.told.push(targets.map(({ url, scrapePool }) => `${scrapePool} ${url}`).join(', '));
      },
    });
  }
}

function driven(options: { patienceMs?: number } = {}): Driven {
  const made = new Driven(options);
  onTestFinished(() => made.pools.stop());
  return made;
}

const files = (...names: string[]): object => ({ file_sd_configs: names.map((name) => ({ files: [name] })) });

test('two jobs that ask the same are answered by one discovery, and equal targets are one', async () => {
  const { pools, started, tell, told } = driven();
  pools.setJobs([
    job({ job_name: 'a', ...files('/x.json') }),
    job({ job_name: 'b', ...files('/x.json', '/y.json') }),
  ]);
  expect(started).toEqual(['/x.json', '/y.json']);
  tell.get('/x.json')?.([group('1', 'h:1')]);
  tell.get('/y.json')?.([group('1', 'h:1', 'h:2')]);
  await eventually(() => told.at(-1) === 'a http://h:1/metrics, b http://h:1/metrics, b http://h:2/metrics');
  expect(pools.isReady).toBe(true);
});

test('a job that is replaced keeps its targets until what it asks for now has answered', async () => {
  const { pools, stopped, tell, told } = driven();
  pools.setJobs([job({ job_name: 'a', ...files('/x.json') })]);
  tell.get('/x.json')?.([group('1', 'h:1')]);
  await eventually(() => told.at(-1) === 'a http://h:1/metrics');
  pools.setJobs([job({ job_name: 'a', ...files('/y.json') }), job({ job_name: 'b', ...files('/z.json') })]);
  tell.get('/z.json')?.([group('1', 'h:3')]);
  await eventually(() => told.at(-1) === 'a http://h:1/metrics, b http://h:3/metrics');
  expect(stopped).toEqual(['/x.json']);
  tell.get('/y.json')?.([group('1', 'h:2')]);
  await eventually(() => told.at(-1) === 'a http://h:2/metrics, b http://h:3/metrics');
});

test('a discovery that never answers keeps nothing back: at the start at once, later after some time', async () => {
  const { pools, tell, told } = driven({ patienceMs: 20 });
  pools.setJobs([job({ job_name: 'a', ...files('/x.json', '/silent.json') })]);
  pools.setJobs([job({ job_name: 'a', ...files('/x.json', '/silent.json') }), job({ job_name: 'b' })]);
  tell.get('/x.json')?.([group('1', 'h:1')]);
  await eventually(() => told.at(-1) === 'a http://h:1/metrics');
  tell.get('/silent.json')?.([]);
  pools.setJobs([job({ job_name: 'a', ...files('/silent.json', '/more.json') })]);
  tell.get('/silent.json')?.([group('1', 'h:2')]);
  await eventually(() => told.at(-1) === 'a http://h:2/metrics');
});

test('a discovery that stays goes on while jobs are replaced', async () => {
  const { pools, started, tell, told } = driven();
  pools.setJobs([job({ job_name: 'a', ...files('/x.json') })]);
  tell.get('/x.json')?.([group('1', 'h:1')]);
  pools.setJobs([job({ job_name: 'a', scheme: 'https', ...files('/x.json') }), job({ job_name: 'b' })]);
  await eventually(() => told.at(-1) === 'a https://h:1/metrics');
  expect(started).toEqual(['/x.json']);
});

test('what is dropped is counted and listed, what is invalid is told, as is what a discovery says', async () => {
  const made = driven();
  made.pools.setJobs([
    job({
      job_name: 'a',
      keep_dropped_targets: 1,
      relabel_configs: [{ source_labels: ['__address__'], regex: 'd.*', action: 'drop' }],
      ...files('/x.json'),
    }),
  ]);
  made.tell.get('/x.json')?.([group('1', 'd:1', 'd:2', 'h:1', 'h/x')]);
  made.problem = 'the server is down';
  await eventually(() => made.told.at(-1) === 'a http://h:1/metrics');
  const [status] = made.pools.status();
  expect(status).toMatchObject({
    droppedCount: 2,
    dropped: [{ __address__: 'd:1', job: 'a' }],
    problems: ['a: the server is down', 'a: "h/x" is no valid address: a path belongs into __metrics_path__'],
  });
  const down = {
    health: 'down',
    lastError: 'refused',
    lastScrapeMs: 1000,
    lastDurationSeconds: 0.5,
  } as const;
  expect(targetsReport(made.pools.status(), () => down)).toEqual({
    activeTargets: [
      {
        discoveredLabels: {
          __address__: 'h:1',
          __metrics_path__: '/metrics',
          __scheme__: 'http',
          __scrape_interval__: '1m',
          __scrape_timeout__: '10s',
          job: 'a',
        },
        labels: { instance: 'h:1', job: 'a' },
        scrapePool: 'a',
        scrapeUrl: 'http://h:1/metrics',
        globalUrl: 'http://h:1/metrics',
        lastError: 'refused',
        lastScrape: '1970-01-01T00:00:01.000Z',
        lastScrapeDuration: 0.5,
        health: 'down',
        scrapeInterval: '1m',
        scrapeTimeout: '10s',
      },
    ],
    droppedTargets: [{ scrapePool: 'a', discoveredLabels: expect.objectContaining({ __address__: 'd:1' }) }],
    droppedTargetCounts: { a: 2 },
  });
});

test('more targets than target_limit are none', async () => {
  const { pools, tell, told } = driven();
  pools.setJobs([job({ job_name: 'a', target_limit: 1, ...files('/x.json') })]);
  tell.get('/x.json')?.([group('1', 'h:1', 'h:2')]);
  await eventually(() => pools.isReady && told.length > 0);
  expect(told.at(-1)).toBe('');
  expect(pools.status()[0]?.problems).toEqual(['a: 2 targets exceed target_limit 1: none is scraped']);
});
