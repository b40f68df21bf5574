/** Options of scraping that are not a target's own. */
import { z } from 'zod';
import { countSchema, option } from '#model/config/option.ts';
import { queueBytesMaxDefault } from './sample-queue.ts';

export const scrapeOptions = {
  'scrape.extra_metrics': option(
    z.boolean(),
    false,
    'Also report scrape_timeout_seconds, scrape_sample_limit and scrape_body_size_bytes of each target.',
  ),
  'scrape.queue_bytes_max': option(
    countSchema,
    queueBytesMaxDefault,
    'Scrapes that wait for the transport: over it the oldest are dropped and counted.',
  ),
};
