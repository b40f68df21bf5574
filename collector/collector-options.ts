/** How the collector turns requests into rows. */
import { z } from 'zod';
import { option } from '#model/config/option.ts';

export const collectorOptions = {
  workers: option(
    z.number().int().min(0).max(256),
    0,
    'Threads that transcode; one feeds about four cores of ClickHouse. 0: one per four cores.',
  ),
};
