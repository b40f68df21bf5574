/**
 * Goal: a source that cannot be read is named, with what to do, and the others go on.
 * Method: `sonde up` beside a log directory it may not read, a target that answers HTML, one that hangs, one that works.
 */
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SondeProcess, startSonde } from '#test/support/sonde-process.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-bad-sources-'));
const patience = { timeout: 20_000, interval: 200 };
const nobody = 65_534;
/** No process has this number: pid_max is at most 4,194,304. */
const foreignSpool = (namespace: string): string => `/dev/shm/sonde-spool-${namespace}-4194305-foreign`;
const servers: Server[] = [];
let sonde: SondeProcess;
let htmlUrl = '';
let hangingUrl = '';
let goodUrl = '';

/** Root may read everything: the process runs as nobody then, where nobody may read this checkout. */
const isRoot = process.getuid?.() === 0;
function isOpenToOthers(path: string): boolean {
  return (statSync(path).mode & 0o005) === 0o005 && (path === '/' || isOpenToOthers(dirname(path)));
}
const runsUnprivileged = !isRoot || isOpenToOthers(import.meta.dirname);

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

beforeAll(async () => {
  htmlUrl = await serve((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hello</html>');
  });
  hangingUrl = await serve(() => undefined);
  goodUrl = await serve((_request, response) => void response.end('good_metric 1\n'));
  mkdirSync(join(directory, 'open'));
  mkdirSync(join(directory, 'closed'));
  mkdirSync(join(directory, 'data'));
  writeFileSync(join(directory, 'open/app.log'), 'readable line\n');
  writeFileSync(join(directory, 'closed/app.log'), 'secret line\n');
  chmodSync(join(directory, 'closed'), 0);
  chmodSync(directory, 0o755);
  if (isRoot && existsSync('/dev/shm')) {
    // What a dead process of another user left in shared memory must not stop the start.
    const namespace = readlinkSync('/proc/self/ns/pid').replace(/\D/g, '');
    mkdirSync(foreignSpool(namespace), { recursive: true, mode: 0o700 });
  }
  const user = isRoot && runsUnprivileged ? { uid: nobody, gid: nobody } : {};
  if ('uid' in user) chownSync(join(directory, 'data'), nobody, nobody);
  sonde = await startSonde(
    [
      ...[
        'up',
        '--data',
        join(directory, 'data'),
        '--port',
        '0',
        '--otlp-http-port',
        '0',
        '--otlp-grpc-port',
        '0',
      ],
      ...['--logs', join(directory, 'open/*.log'), '--logs', join(directory, 'closed/*.log')],
      ...['--scrape', htmlUrl, '--scrape', hangingUrl, '--scrape', goodUrl],
    ],
    { SONDE_AGENT_SCRAPE_INTERVAL_MS: '1000', SONDE_AGENT_SCRAPE_TIMEOUT_MS: '500', HOME: directory },
    user,
  );
});
afterAll(async () => {
  await sonde?.end('SIGKILL');
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  chmodSync(join(directory, 'closed'), 0o700);
  rmSync(directory, { recursive: true, force: true });
  if (existsSync('/dev/shm')) {
    rmSync(foreignSpool(readlinkSync('/proc/self/ns/pid').replace(/\D/g, '')), {
      recursive: true,
      force: true,
    });
  }
});

if (!runsUnprivileged)
  console.warn('SKIPPED: an unreadable log directory: nobody may not read this checkout');
test.skipIf(!runsUnprivileged && !process.env.CI)(
  'a log directory that may not be read is named, with what to do',
  async () => {
    const advice = 'permission denied; run the agent as root, or let its user read this path';
    await expect.poll(() => sonde.output(), patience).toContain(advice);
    expect(sonde.output()).toContain(`"path":"${join(directory, 'closed')}"`);
  },
);

test('a target that answers HTML, and one that hangs, are named with the reason', async () => {
  await expect.poll(() => sonde.output(), patience).toMatch(new RegExp(`${htmlUrl} answered text/html`));
  await expect
    .poll(() => sonde.output(), patience)
    .toMatch(new RegExp(`${hangingUrl} did not answer completely within 0.5 s`));
});

test('the banner lists the log files that are there', () => {
  expect(sonde.output()).toContain(`found ${join(directory, 'open/app.log')}`);
});

test('the others go on: the readable file and the good target are stored, the bad ones are down', async () => {
  const query = async (path: string): Promise<string> => (await fetch(`${sonde.apiUrl}${path}`)).text();
  const logs = `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="app"}')}`;
  await expect.poll(() => query(logs), patience).toContain('readable line');
  await expect.poll(() => query('/prometheus/api/v1/query?query=good_metric'), patience).toContain('"1"]');
  await expect
    .poll(
      () => query(`/prometheus/api/v1/query?query=${encodeURIComponent('sum(up{job="scrape"})')}`),
      patience,
    )
    .toContain('"1"]');
  expect((await fetch(`${sonde.apiUrl}/ready`)).status).toBe(200);
});
