/** What is measured of containers. Where /proc and /sys are seen is told by host.proc_path and host.sys_path. */
import { z } from 'zod';
import { countSchema, option } from '#model/config/option.ts';

export const containerOptions = {
  'containers.is_measured': option(
    z.boolean(),
    true,
    "Read this node's containers from their cgroups, with cAdvisor's names.",
  ),
  'containers.interval_ms': option(countSchema, 15_000, 'Time between two readings of the cgroups.'),
  'containers.cgroups_max': option(
    countSchema,
    1_000,
    'Containers, pods and slices that are read; over it, the others are left out, and a warning says so.',
  ),
};
