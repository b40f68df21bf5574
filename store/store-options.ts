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
};
