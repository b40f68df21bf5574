/** Where scrape configurations come from. */
import { z } from 'zod';
import { option, secretOption } from '#model/config/option.ts';
import { scrapeConfigSchema } from './scrape-config-schema.ts';

const switchSchema = z.enum(['auto', 'on', 'off']);

/** Checked here, and kept as it was written: settings are made of it where the agent starts. */
const inlineConfigSchema = z.record(z.string(), z.unknown()).superRefine((config, context) => {
  const parsed = scrapeConfigSchema.safeParse(config);
  for (const { path, message } of parsed.error?.issues ?? []) {
    context.addIssue({ code: 'custom', path, message });
  }
});

export const scrapeConfigOptions = {
  'scrape.config_files': option(
    z.array(z.string().min(1)),
    [],
    "Files of Prometheus's form, prometheus.yml (globs): their scrape_configs are followed as they change.",
  ),
  'scrape.configs': secretOption(
    z.array(inlineConfigSchema),
    [],
    'Scrape configs of Prometheus, written here: job_name, static_configs, relabel_configs and so on.',
  ),
  'scrape.annotations': option(
    switchSchema,
    'auto',
    'Scrape pods of this node with the annotation prometheus.io/scrape or sonde.io/scrape; auto: in a cluster.',
  ),
  'scrape.docker_labels': option(
    switchSchema,
    'auto',
    'Scrape containers with the label prometheus.io/scrape or sonde.scrape; auto: where the Docker socket may be used, outside of a cluster.',
  ),
  'scrape.docker_host': option(
    z
      .string()
      .regex(/^(unix:\/\/\/|tcp:\/\/|https?:\/\/)./, 'expected unix:///path, tcp://host:port or a URL'),
    'unix:///var/run/docker.sock',
    'Docker Engine that scrape.docker_labels asks.',
  ),
};
