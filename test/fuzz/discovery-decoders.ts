/** What service discovery and scrape configurations read from outside. */
import { parseTargetGroups } from '#agent/discovery/target-groups-text.ts';
import { parseYamlText } from '#agent/discovery/yaml-text.ts';
import { prometheusSchema } from '#agent/scrape-config/scrape-config-schema.ts';
import { ConfigError } from '#model/errors.ts';
import type { FuzzedDecoder } from './fuzzed-decoder.ts';

const groups = [
  { targets: ['a:80', '[::1]:81'], labels: { zone: 'b', __metrics_path__: '/m' } },
  { targets: [] },
];
const configuration = `global: {scrape_interval: 15s, external_labels: {a: b}}
rule_files: [x]
scrape_configs:
  - &base
    job_name: a
    static_configs: [{targets: ['h:1'], labels: {v: 1.10}}]
    relabel_configs:
      - {source_labels: [a, b], regex: '(.+)x|[a-z]*', target_label: c, replacement: $1}
    kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, field: a=b}]}]
  - {<<: *base, job_name: b, body_size_limit: 10MB}
`;

export const discoveryDecoders: readonly FuzzedDecoder[] = [
  ...(['json', 'yaml'] as const).map(
    (format): FuzzedDecoder => ({
      name: `target groups as ${format}`,
      make: () => Buffer.from(JSON.stringify(groups)),
      decode: (bytes) => parseTargetGroups(Buffer.from(bytes).toString('utf8'), format, 'file', {}),
      mayThrow: [ConfigError],
    }),
  ),
  {
    name: 'prometheus.yml',
    make: () => Buffer.from(configuration),
    decode: (bytes) => prometheusSchema.safeParse(parseYamlText(Buffer.from(bytes).toString('utf8')).value),
    mayThrow: [ConfigError],
  },
];
