/**
 * Goal: the senders that people have are understood: rsyslog over every transport, and util-linux's logger.
 * Method: Debian's programs send to a real receiver; the configuration is that of docs/agent/receiving.md.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { Receiver } from '#agent/receive/receiver.ts';
import { syslogOptions } from '#agent/receive/syslog-options.ts';
import { startSyslogReceiver } from '#agent/receive/syslog-receiver.ts';
import { makeCertificates, type TestCertificates } from '#test/support/certificates.ts';
import { hasTool, startTool } from '#test/support/debian-tool.ts';
import { eventually } from '#test/support/eventually.ts';
import { LogSink, optionsOf } from './log-sink.ts';

const hasLogger = hasTool('logger', 'bsdutils');
const hasRsyslog = hasTool('rsyslogd', 'rsyslog', '-v');
const hasGnutls = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib'].some((path) =>
  existsSync(`${path}/rsyslog/lmnsd_gtls.so`),
);
if (!hasGnutls) {
  const fact = 'rsyslog speaks no TLS on this machine: apt-get install rsyslog-gnutls';
  if (process.env.CI === 'true') throw new Error(fact);
  console.warn(`SKIPPED: ${fact}`);
}

let receiver: Receiver | undefined;
afterEach(async () => {
  await receiver?.stop(0);
  receiver = undefined;
});

async function start(certificates?: TestCertificates) {
  const sink = new LogSink();
  const context = sink.context('syslog');
  receiver = await startSyslogReceiver(
    optionsOf(syslogOptions, {
      'syslog.flush_interval_ms': 20,
      'syslog.udp_address': '127.0.0.1:0',
      'syslog.tcp_address': '127.0.0.1:0',
      'syslog.time_zone': 'local',
      ...(certificates === undefined
        ? {}
        : {
            'syslog.tls_address': '127.0.0.1:0',
            'syslog.tls_certificate_path': certificates.server.certPath,
            'syslog.tls_key_path': certificates.server.keyPath,
            'syslog.tls_client_ca_path': certificates.authority.certPath,
          }),
    }),
    context,
  );
  const port = (kind: string): number => receiver!.addresses[kind]!.port;
  return { sink, counts: context.counts, port };
}

describe.skipIf(!hasLogger)('logger', () => {
  test.each([
    ['RFC 5424 over UDP', 'udp', ['--udp', '--rfc5424']],
    ['RFC 5424 over TCP', 'tcp', ['--tcp', '--rfc5424']],
    ['RFC 5424 over TCP, octet counting', 'tcp', ['--tcp', '--rfc5424', '--octet-count']],
    ['RFC 3164 over UDP', 'udp', ['--udp', '--rfc3164']],
    ['RFC 3164 over TCP', 'tcp', ['--tcp', '--rfc3164']],
    ['RFC 3164 over TCP, octet counting', 'tcp', ['--tcp', '--rfc3164', '--octet-count']],
  ])('%s', async (name, kind, args) => {
    const { sink, port, counts } = await start();
    const data = name.includes('5424')
      ? ['--sd-id', 'app@32473', '--sd-param', 'a="1"', '--msgid', 'M1']
      : [];
    const to = ['--server', '127.0.0.1', '--port', String(port(kind)), ...args, ...data];
    execFileSync('logger', [...to, '--tag', 'shop', '--id=77', '--priority', 'local3.err', 'grüße: 1 "two"']);
    await eventually(() => counts.delivered === 1);
    expect([...counts.malformed, ...counts.dropped]).toEqual([]);
    const [record] = sink.records();
    expect(record).toMatchObject({
      body: 'grüße: 1 "two"',
      severity: '17 err',
      resource: { 'service.name': 'shop' },
      attributes: {
        facility: '19',
        proc_id: '77',
        ...(data.length > 0 ? { msg_id: 'M1', 'structured_data.app@32473.a': '1' } : {}),
      },
    });
    expect(record!.resource['host.name']).not.toBe('');
    expect(Math.abs(Date.parse(`${record!.time.slice(0, 19)}Z`) - Date.now())).toBeLessThan(120_000);
  });
});

/** The blocks of the page that begin with the given word, joined. */
function documented(mark: string): string {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/agent/receiving.md'), 'utf8');
  const block = page.split('```').find((text) => text.includes(mark));
  if (block === undefined) throw new Error(`docs/agent/receiving.md has no block with ${mark}`);
  return block.slice(block.indexOf('\n'));
}

describe.skipIf(!hasRsyslog)('rsyslog', () => {
  /** Starts rsyslogd with an input file whose lines go out by `action`, and writes `count` lines. */
  async function ship(action: string, count: number) {
    const directory = mkdtempSync(join(tmpdir(), 'sonde-rsyslog-'));
    const input = join(directory, 'input.log');
    const config = join(directory, 'rsyslog.conf');
    writeFileSync(
      config,
      `global(workDirectory="${directory}")
module(load="imfile")
input(type="imfile" file="${input}" tag="shop:" severity="warning" facility="local0" ruleset="out")
ruleset(name="out") {\n${action}\n}\n`,
    );
    writeFileSync(input, Array.from({ length: count }, (_, i) => `number ${i}\n`).join(''));
    return startTool('rsyslogd', ['-n', '-f', config, '-i', join(directory, 'pid')], directory);
  }

  const actions: readonly (readonly [string, string, (port: (kind: string) => number) => string])[] = [
    ['UDP', 'udp', (port) => `action(type="omfwd" target="127.0.0.1" port="${port('udp')}" protocol="udp")`],
    [
      'TCP, newlines',
      'tcp',
      (port) => `action(type="omfwd" target="127.0.0.1" port="${port('tcp')}" protocol="tcp")`,
    ],
    [
      'TCP, octet counting, RFC 5424, as documented',
      'tcp',
      (port) =>
        documented('type="omfwd"')
          .replace('sonde-agent', '127.0.0.1')
          .replace('port="514"', `port="${port('tcp')}"`),
    ],
  ];
  test.each(actions)('%s', async (name, kind, action) => {
    const { sink, port, counts } = await start();
    // Datagrams get lost where nobody waits for them: few of them.
    const count = kind === 'udp' ? 50 : 5000;
    await using rsyslog = await ship(action(port), count);
    await eventually(
      () => counts.delivered >= count,
      () => rsyslog.output(),
    );
    expect(sink.bodies().map((body) => body.trim())).toEqual(
      Array.from({ length: count }, (_, i) => `number ${i}`),
    );
    expect([...counts.malformed, ...counts.dropped], name).toEqual([]);
    expect(sink.records()[0]).toMatchObject({ severity: '13 warning', resource: { 'service.name': 'shop' } });
  });

  test.skipIf(!hasGnutls)('TLS with a client certificate, as documented', async () => {
    const certificates = makeCertificates();
    const { sink, port, counts } = await start(certificates);
    const page = documented('DefaultNetstreamDriver=')
      .replace('/etc/ssl/sonde/ca.pem', certificates.authority.certPath)
      .replace('/etc/ssl/sonde/client.pem', certificates.client.certPath)
      .replace('/etc/ssl/sonde/client.key', certificates.client.keyPath)
      .replace('sonde-agent', '127.0.0.1')
      .replace('port="6514"', `port="${port('tls')}"`);
    const cut = page.indexOf('action(');
    const directory = mkdtempSync(join(tmpdir(), 'sonde-rsyslog-'));
    writeFileSync(join(directory, 'input.log'), 'number 0\nnumber 1\n');
    writeFileSync(
      join(directory, 'rsyslog.conf'),
      `global(workDirectory="${directory}")
${page.slice(0, cut)}
module(load="imfile")
input(type="imfile" file="${directory}/input.log" tag="shop:" ruleset="out")
ruleset(name="out") {\n${page.slice(cut)}\n}\n`,
    );
    await using rsyslog = startTool(
      'rsyslogd',
      ['-n', '-f', join(directory, 'rsyslog.conf'), '-i', join(directory, 'pid')],
      directory,
    );
    await eventually(
      () => counts.delivered === 2,
      () => [rsyslog.output(), [...counts.dropped]],
    );
    expect(sink.bodies().map((body) => body.trim())).toEqual(['number 0', 'number 1']);
  });
});
