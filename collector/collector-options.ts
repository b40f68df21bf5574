/** How the collector turns requests into rows. */
import { z } from 'zod';
import { option } from '#model/config/option.ts';

export const collectorOptions = {
  workers: option(
    z.number().int().min(0).max(256),
    0,
    'Threads that transcode; one feeds about four cores of ClickHouse. 0: one per four cores.',
  ),
  block_rows_max: option(
    z.number().int().min(1).max(1_000_000),
    250_000,
    'Pushed requests are gathered into blocks of so many rows before they are inserted.',
  ),
  block_age_ms_max: option(
    z.number().int().min(0).max(60_000),
    1000,
    'How long the first request of a block waits for others. Requests are answered when their block is stored.',
  ),
};
