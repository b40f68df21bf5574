/**
 * Goal: a listener takes up renewed certificates, and keeps the old ones while the new files are no good.
 * Method: a real TLS listener whose files are replaced under it.
 */
import { copyFileSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { expect, test } from 'vitest';
import { startStreamServer } from '#agent/receive/stream-server.ts';
import { readTlsFiles } from '#agent/receive/tls-files.ts';
import { makeCertificates } from '#test/support/certificates.ts';
import { eventually } from '#test/support/eventually.ts';
import { LogSink } from './log-sink.ts';

test('certificates that are renewed are used, and spoilt ones are not', async () => {
  const [first, second] = [makeCertificates(), makeCertificates()];
  const directory = mkdtempSync(join(tmpdir(), 'sonde-renewal-'));
  const files = {
    certificatePath: join(directory, 'server.pem'),
    keyPath: join(directory, 'server.key'),
    clientAuthorityPath: '',
  };
  const install = ({ server }: typeof first): void => {
    copyFileSync(server.certPath, files.certificatePath);
    copyFileSync(server.keyPath, files.keyPath);
  };
  install(first);
  const { counts, log, warnings } = new LogSink().context('syslog');
  await using server = await (async () => {
    const started = await startStreamServer({
      address: { host: '127.0.0.1', port: 0 },
      tls: () => readTlsFiles('agent.syslog', files),
      tlsCheckMs: 10,
      connectionsMax: 10,
      idleTimeoutMs: 60_000,
      open: () => ({ push: () => undefined, end: () => undefined }),
      outlet: undefined,
      counts,
      log,
    });
    return { ...started, [Symbol.asyncDispose]: () => started.stop() };
  })();
  const isTrusted = ({ authority }: typeof first): Promise<boolean> =>
    new Promise((resolve) => {
      const socket = connect({ port: server.address.port, host: '127.0.0.1', ca: authority.cert });
      socket.once('secureConnect', () => resolve(true));
      socket.once('error', () => resolve(false));
      socket.once('close', () => socket.destroy());
      setTimeout(() => socket.destroy(), 500).unref();
    });
  expect(await isTrusted(first)).toBe(true);
  writeFileSync(files.certificatePath, 'no certificate');
  await eventually(() => warnings.some((text) => text.includes('certificates were not renewed')));
  expect(await isTrusted(first)).toBe(true);
  install(second);
  await eventually(() => isTrusted(second));
  expect(await isTrusted(first)).toBe(false);
});
