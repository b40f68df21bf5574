/** Which ClickHouse, where it keeps its data, and for how long. */
import { z } from 'zod';
import {
  countSchema,
  durationMs,
  durationSchema,
  option,
  secretOption,
  urlOrNoneSchema,
} from '#model/config/option.ts';
import { clusterNamePattern } from './cluster/topology.ts';

const byteCountSchema = z.number().int().min(0);

export const storeOptions = {
  kind: option(z.enum(['embedded', 'server']), 'embedded', 'embedded runs ClickHouse in this process.'),
  path: option(z.string().min(1), './data', 'Data directory of the embedded engine, and of checkpoints.'),
  memory_bytes_max: option(countSchema, 2 * 1024 ** 3, 'Memory bound of the embedded engine.'),
  url: option(urlOrNoneSchema, '', 'ClickHouse HTTP address of the server kind.'),
  username: option(z.string(), 'default', 'ClickHouse user.'),
  password: secretOption(z.string(), '', 'ClickHouse password.'),
  retention: option(
    durationSchema,
    '30d',
    'Age at which data is dropped, by whole partitions. 0 keeps for ever.',
  ),
  'compaction.enabled': option(
    z.boolean(),
    true,
    'The collector packs samples of closed two-hour windows into chunks, and makes five-minute cells of them.',
  ),
  'compaction.interval': option(
    durationSchema.refine((text) => durationMs(text) >= 1000, 'expected at least 1s'),
    '5m',
    'Windows that are due are looked for this often.',
  ),
  'compaction.lateness': option(
    durationSchema,
    '15m',
    'How long after its end a window waits for late samples. Later ones make it due again.',
  ),
  bytes_max: option(
    byteCountSchema,
    0,
    'Bytes on disk of all tables together: above it the oldest partitions are dropped. 0 is no budget.',
  ),
  disk_free_bytes_min: option(
    byteCountSchema,
    1024 ** 3,
    'Inserts are refused (and come again) while the disk has less: merges need room too.',
  ),
  sweep_interval_ms: option(countSchema, 60_000, 'How often expired and excess partitions are looked for.'),
  cluster: option(
    z.string().regex(clusterNamePattern, 'expected the plain name of a cluster'),
    '',
    'ClickHouse cluster of the server kind: local tables on each server, Distributed tables over them. Empty: one server.',
  ),
  backup_path: option(
    z.string(),
    '',
    'Directory below which a running process with the embedded engine may write backups. Empty: nowhere.',
  ),
  backup_s3_url: option(
    urlOrNoneSchema,
    '',
    'Base URL of the S3 service for s3://bucket/prefix: the bucket is added to its path. Empty: AWS.',
  ),
  backup_s3_key_id: option(z.string(), '', 'Access key of the S3 service.'),
  backup_s3_secret: secretOption(z.string(), '', 'Secret of that access key.'),
};
