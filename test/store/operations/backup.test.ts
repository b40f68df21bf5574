/**
 * Goal: what was backed up is there again after a restore into an empty directory, row for row, in every table.
 * Method: the real engine writes to a directory and to an S3 service; checksums of all rows before and after. One
 * process holds one data directory, so each store is closed before the next is opened.
 */
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ConfigError } from '#model/errors.ts';
import { openEmbeddedStore } from '#store/embedded/embedded-store.ts';
import { migrate } from '#store/migrate.ts';
import { awaitBackup, readBackupProgress, startBackup, startRestore } from '#store/operations/backup.ts';
import { parseBackupLocation } from '#store/operations/backup-location.ts';
import { verifyStore } from '#store/operations/verify.ts';
import { type Store, StoreError } from '#store/store.ts';
import { type S3Service, startS3Service } from '#test/support/s3-service.ts';
import { tableChecksums } from '#test/support/table-checksums.ts';

const directory = mkdtempSync(join(tmpdir(), 'sonde-backup-'));
const secret = 'wJalrXUtnFEMI-K7MDENG-bPxRfiCY';
let s3: S3Service;
let store: Store | undefined;

const at = (name: string): string => join(directory, 'backups', name);
const access = () => ({ url: s3.url, keyId: 'AKIDEXAMPLE', secret });
const location = (text: string, role: 'dest' | 'base' | 'source' = 'dest') =>
  parseBackupLocation(text, role, access());

async function open(name: string): Promise<Store> {
  await store?.close();
  store = await openEmbeddedStore({ path: join(directory, name), backupPath: join(directory, 'backups') });
  return store;
}

const done = (from: Store, id: string) => awaitBackup(() => readBackupProgress(from, id), { intervalMs: 20 });

async function backUp(from: Store, destination: string, base?: string): Promise<void> {
  const id = await startBackup(from, {
    destination: location(destination),
    ...(base === undefined ? {} : { base: location(base, 'base') }),
  });
  expect(await done(from, id)).toMatchObject({ status: 'BACKUP_CREATED', error: '' });
}

async function restoreInto(name: string, source: string): Promise<Record<string, string>> {
  const empty = await open(name);
  const progress = await done(empty, await startRestore(empty, { source: location(source, 'source') }));
  expect(progress.status).toBe('RESTORED');
  expect((await verifyStore(empty)).faults).toEqual([]);
  return tableChecksums(empty);
}

beforeAll(async () => {
  s3 = await startS3Service();
});
afterAll(async () => {
  await store?.close();
  await s3.close();
  rmSync(directory, { recursive: true, force: true });
});

async function fill(into: Store, tenant: string): Promise<void> {
  const values = { params: { tenant } };
  await into.exec(
    `INSERT INTO logs (tenant, ts, stream_id, labels, attrs, body)
     SELECT {tenant:String}, toDateTime64('2026-11-01 00:00:00', 9, 'UTC') + number, number, map('k', 'v'), map('n', toString(number)), randomString(20) FROM numbers(5000)`,
    values,
  );
  await into.exec(
    `INSERT INTO spans (tenant, ts, trace_id, event_name, event_attrs)
     SELECT {tenant:String}, now64(9), toFixedString(toString(number), 16), ['e'], [map('a', 'b')] FROM numbers(1000)`,
    values,
  );
  await into.exec(
    `INSERT INTO series (tenant, metric, id, labels, t_min, t_max)
     SELECT {tenant:String}, 'up', number, map('i', toString(number)), 5, 6 FROM numbers(100)`,
    values,
  );
  await into.exec(
    `INSERT INTO samples_head SELECT {tenant:String}, 'up', number % 100, now64(3) - number, number / 3 FROM numbers(3000)`,
    values,
  );
  await into.exec(
    `INSERT INTO rule_groups (tenant, namespace, name, version, yaml) VALUES ({tenant:String}, 'n', 'g', 1, 'rules: []')`,
    values,
  );
}

test('a directory: whole, then what has changed since, and back row for row', async () => {
  const source = await open('data');
  await migrate(source);
  await fill(source, 'a');
  const monday = await tableChecksums(source);
  await backUp(source, at('monday'));
  await fill(source, 'b');
  const tuesday = await tableChecksums(source);
  await backUp(source, at('tuesday'), at('monday'));

  expect(monday.logs).toMatch(/^5000 rows/);
  expect(tuesday.logs).toMatch(/^10000 rows/);
  expect(sizeOf(at('tuesday'))).toBeLessThan(sizeOf(at('monday')) * 1.5);
  expect(await restoreInto('monday-again', at('monday'))).toEqual(monday);
  expect(await restoreInto('tuesday-again', at('tuesday'))).toEqual(tuesday);
});

test('S3: the same, and the secret is in no list of the engine', async () => {
  const source = await open('tuesday-again');
  const before = await tableChecksums(source);
  await backUp(source, 's3://bucket/sonde/whole');
  expect([...s3.objects.keys()].every((key) => key.startsWith('/bucket/sonde/whole/'))).toBe(true);
  expect([...s3.authorizations].every((text) => text.includes('AKIDEXAMPLE') && !text.includes(secret))).toBe(
    true,
  );
  const seen = await source.rows('SELECT * FROM system.backups');
  expect(JSON.stringify(seen)).toContain('AKIDEXAMPLE');
  expect(JSON.stringify(seen)).not.toContain(secret);
  expect(await restoreInto('from-s3', 's3://bucket/sonde/whole')).toEqual(before);
});

test('a store with rows is not restored over', async () => {
  const filled = await open('data');
  const before = await tableChecksums(filled);
  const restore = startRestore(filled, { source: location(at('monday'), 'source') });
  await expect(restore).rejects.toThrow(ConfigError);
  await expect(restore).rejects.toThrow(
    /^a restore needs an empty store, but there are rows in label_values/,
  );
  expect(await tableChecksums(filled)).toEqual(before);
});

test('what stands in the way is said: an old backup, another directory, one that is spoilt', async () => {
  const filled = await open('data');
  const failure = async (destination: string): Promise<string> => {
    try {
      const id = await startBackup(filled, { destination: location(destination) });
      await done(filled, id);
      return 'it was written';
    } catch (error) {
      expect(error).toBeInstanceOf(StoreError);
      return (error as Error).message;
    }
  };
  expect(await failure(at('monday'))).toMatch(/BACKUP_FAILED: .*already exists/);
  expect(await failure(join(directory, 'elsewhere'))).toMatch(/elsewhere' is not allowed for backups/);
  const forbidden = await failure('s3://forbidden/x');
  expect(forbidden).toMatch(/ACCESS_DENIED/);
  expect(forbidden).not.toContain(secret);

  const empty = await open('spoilt');
  writeFileSync(join(at('monday'), '.backup'), 'spoilt');
  const restored = startRestore(empty, { source: location(at('monday'), 'source') }).then((id) =>
    done(empty, id),
  );
  await expect(restored).rejects.toThrow(StoreError);
});

test.each(['', 'http://bucket/x', 's3://bucket', 's3://Bucket_/x', "s3://bucket/it's\n", 's3://bucket/a b'])(
  '%j is no place for a backup',
  (text) => {
    expect(() => location(text)).toThrow(ConfigError);
  },
);

test('S3 without keys is refused before anything is asked', () => {
  expect(() => parseBackupLocation('s3://bucket/x', 'dest', { url: '', keyId: '', secret: '' })).toThrow(
    's3:// needs store.backup_s3_key_id and store.backup_s3_secret',
  );
});

function sizeOf(path: string): number {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((total, { parentPath, name }) => total + statSync(join(parentPath, name)).size, 0);
}
