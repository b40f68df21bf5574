/** The disk buffer between what is pushed and scraped, and the transport. */
import { z } from 'zod';
import { countSchema, option } from '#model/config/option.ts';

export const bufferAgentOptions = {
  'buffer.is_used': option(
    z.boolean(),
    false,
    'Keep what is pushed and scraped on disk until the next station has it. Log files need none.',
  ),
  'buffer.path': option(
    z.string(),
    '',
    'Directory of the disk buffer. Empty: `buffer` below agent.state_path.',
  ),
  'buffer.bytes_max': option(
    z
      .number()
      .int()
      .min(1024 * 1024),
    1024 * 1024 * 1024,
    'Bytes of the disk buffer; over it the oldest file is dropped. At least 1 MiB.',
  ),
  'buffer.age_ms_max': option(
    countSchema,
    86_400_000,
    'What has waited longer in the disk buffer is dropped.',
  ),
  'buffer.sync': option(
    z.enum(['always', 'interval']),
    'always',
    'always answers when the disk has it; interval when the kernel has it: a power cut may take the last ones.',
  ),
  'buffer.sync_interval_ms': option(
    countSchema,
    1000,
    'How often the disk is told with buffer.sync: interval.',
  ),
};
