/**
 * Where a backup lies, as the engine is told.
 *
 *   /var/backups/sonde/monday  ->  File({destPath:String})
 *   s3://bucket/sonde/monday   ->  S3({destUrl:String}, {destKeyId:String}, {destSecret:String})
 *
 * Paths, addresses and keys are bound values: they never stand in SQL text, and the engine hides the secret in its own
 * lists and messages.
 */
import { resolve } from 'node:path';
import { ConfigError } from '#model/errors.ts';
import type { QueryParams } from '../store.ts';

export interface S3Access {
  /** Base URL of the service, to which the bucket is added as a path; '' is AWS. */
  readonly url: string;
  readonly keyId: string;
  readonly secret: string;
}

export interface BackupLocation {
  readonly kind: 'file' | 's3';
  /** For people: what they wrote, made absolute. */
  readonly name: string;
  readonly sql: string;
  readonly params: QueryParams;
}

/** S3's rules for names of buckets. */
const s3Pattern = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])\/([A-Za-z0-9!_.*'()/-]{1,900})$/;

/** `role` keeps the values of two locations in one statement apart. Throws ConfigError where it is no location. */
export function parseBackupLocation(
  text: string,
  role: 'dest' | 'base' | 'source',
  s3: S3Access,
): BackupLocation {
  if (!text.startsWith('s3://')) {
    if (text === '' || /^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
      throw new ConfigError(`${JSON.stringify(text)} is neither a directory nor s3://bucket/prefix`);
    }
    const path = resolve(text);
    return { kind: 'file', name: path, sql: `File({${role}Path:String})`, params: { [`${role}Path`]: path } };
  }
  const [, bucket, prefix] = s3Pattern.exec(text) ?? [];
  if (bucket === undefined || prefix === undefined) {
    throw new ConfigError(`${JSON.stringify(text)} is not s3://bucket/prefix`);
  }
  if (s3.keyId === '' || s3.secret === '') {
    throw new ConfigError('s3:// needs store.backup_s3_key_id and store.backup_s3_secret');
  }
  const url =
    s3.url === ''
      ? `https://${bucket}.s3.amazonaws.com/${prefix}`
      : `${s3.url.replace(/\/$/, '')}/${bucket}/${prefix}`;
  return {
    kind: 's3',
    name: text,
    sql: `S3({${role}Url:String}, {${role}KeyId:String}, {${role}Secret:String})`,
    params: { [`${role}Url`]: url, [`${role}KeyId`]: s3.keyId, [`${role}Secret`]: s3.secret },
  };
}
