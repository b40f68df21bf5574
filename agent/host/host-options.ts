/** What is read of the host, and where it is seen. */
import { z } from 'zod';
import { countSchema, option } from '#model/config/option.ts';
import { collectorNames } from './collector-table.ts';

const collectorsSchema = z.array(
  z.enum(collectorNames, { error: `expected a collector's name: ${collectorNames.join(', ')}` }),
);
const pathSchema = z.string().startsWith('/', 'expected an absolute path');

export const hostOptions = {
  'host.is_read': option(
    z.boolean(),
    true,
    "Read this host from /proc and /sys, with node_exporter's names.",
  ),
  'host.interval_ms': option(countSchema, 15_000, 'Time between two readings of the host.'),
  'host.collectors_on': option(collectorsSchema, [], 'Collectors to run besides the default ones.'),
  'host.collectors_off': option(collectorsSchema, [], 'Default collectors not to run.'),
  'host.proc_path': option(pathSchema, '/proc', "Where the host's /proc is seen."),
  'host.sys_path': option(pathSchema, '/sys', "Where the host's /sys is seen."),
  'host.root_path': option(pathSchema, '/', "Where the host's root directory is seen, for its file systems."),
};
