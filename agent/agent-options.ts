/** What the agent collects. */
import { z } from 'zod';
import { containersOptions } from '#agent/containers/containers-options.ts';
import { multilineFault } from '#agent/logs/frame/record-join.ts';
import { countSchema, option } from '#model/config/option.ts';
import { tenantDefault } from '#model/tenant.ts';
import { bufferAgentOptions } from './buffer/buffer-agent-options.ts';
import { containerOptions } from './cgroup/container-options.ts';
import { hostOptions } from './host/host-options.ts';
import { processorsOptions } from './processors/processors-options.ts';
import { receiveAgentOptions } from './receive/receive-agent-options.ts';
import { scrapeOptions } from './scrape/scrape-options.ts';
import { scrapeConfigOptions } from './scrape-config/scrape-config-options.ts';

const targetSchema = z.strictObject({
  url: z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' }),
  job: z.string().min(1).default('scrape'),
  labels: z.record(z.string(), z.string()).default({}),
});

export const agentOptions = {
  tenant: option(z.string().min(1), tenantDefault, "Tenant of this agent's logs and metrics."),
  node: option(z.string(), '', "This node's name. Empty: the host name."),
  state_path: option(z.string(), '', 'Directory of checkpoints. Empty: `agent` below store.path.'),
  'logs.globs': option(
    z.array(z.string().min(1)),
    ['/var/log/pods/*/*/*.log', '/var/lib/docker/containers/*/*-json.log'],
    'Log files to tail; each is read as CRI, docker json-file or plain lines, whichever it is.',
  ),
  'logs.extra_globs': option(z.array(z.string().min(1)), [], 'More files to tail, added by --logs.'),
  'logs.batch_bytes_max': option(countSchema, 1024 * 1024, 'Largest batch of log records.'),
  'logs.flush_interval_ms': option(countSchema, 500, 'A batch is sent at this age even when it is small.'),
  'logs.discover_interval_ms': option(countSchema, 1000, 'How often the globs are looked at for new files.'),
  'logs.multiline': option(
    z
      .string()
      .refine((rule) => multilineFault(rule) === '', { error: ({ input }) => multilineFault(String(input)) }),
    'auto',
    'How lines become records: auto (stack traces), off, or a regular expression of the first line of each record.',
  ),
  'logs.rate_limit_bytes': option(
    z.int().min(0),
    0,
    'Bytes a second that one log file may grow by; lines beyond are dropped and counted. 0: no limit.',
  ),
  ...containersOptions,
  ...processorsOptions,
  'scrape.targets': option(z.array(targetSchema), [], 'Prometheus targets: url, job, labels.'),
  'scrape.urls': option(z.array(z.string()), [], 'More targets, added by --scrape.'),
  'scrape.files': option(
    z.array(z.string().min(1)),
    ['/etc/sonde/targets/*.json'],
    'Prometheus file_sd files (globs): targets come and go with them.',
  ),
  'scrape.interval_ms': option(countSchema, 15_000, 'Time between two scrapes of a target.'),
  'scrape.timeout_ms': option(countSchema, 10_000, 'A scrape that takes longer has failed.'),
  ...hostOptions,
  ...containerOptions,
  ...scrapeConfigOptions,
  ...scrapeOptions,
  ...receiveAgentOptions,
  ...bufferAgentOptions,
};
