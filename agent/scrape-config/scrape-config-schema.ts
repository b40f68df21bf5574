/** The schema of a Prometheus configuration file: `global`, `scrape_config_files`, `scrape_configs` (Prometheus 3.x). */
import { z } from 'zod';
import { compileRule, type RelabelConfig, type RelabelRule } from '#agent/relabel/relabel-rule.ts';
import { scrapeProtocols } from '#agent/scrape/scrape-settings.ts';
import { errorMessage } from '#model/errors.ts';
import {
  booleanValue,
  countValue,
  durationValue,
  type RefusedKeys,
  sizeValue,
  strictMap,
  textList,
  textValue,
} from './config-values.ts';
import { discoveryRefused, discoveryShape } from './discovery-configs.ts';
import {
  conflictingAuthentication,
  conflictingProxies,
  httpClientRefused,
  httpClientShape,
} from './http-client-config.ts';

const relabelSchema = strictMap({
  source_labels: textList.optional(),
  separator: textValue.optional(),
  regex: textValue.optional(),
  modulus: textValue
    .refine((text) => /^\d{1,20}$/.test(text), 'expected a whole number that is not negative')
    .transform((text) => BigInt(text))
    .refine((modulus) => modulus < 2n ** 64n, 'expected at most 18446744073709551615')
    .optional(),
  target_label: textValue.optional(),
  replacement: textValue.optional(),
  action: textValue.optional(),
}).transform((config: RelabelConfig, context): RelabelRule => {
  try {
    return compileRule(config);
  } catch (error) {
    context.addIssue(errorMessage(error));
    return z.NEVER;
  }
});
const relabelList = z.array(relabelSchema, 'expected a list of relabel rules').nullish();

const protocolValue = z.enum(scrapeProtocols, `expected one of ${scrapeProtocols.join(', ')}`);
const protocolList = z
  .array(protocolValue)
  .refine((protocols) => protocols.length > 0, 'at least one protocol must be given')
  .refine((protocols) => new Set(protocols).size === protocols.length, 'a protocol is given twice');

/** Of `global` and of each scrape config: the latter's win. */
const sharedShape = {
  scrape_interval: durationValue.optional(),
  scrape_timeout: durationValue.optional(),
  scrape_protocols: protocolList.optional(),
  body_size_limit: sizeValue.optional(),
  sample_limit: countValue.optional(),
  label_limit: countValue.optional(),
  label_name_length_limit: countValue.optional(),
  label_value_length_limit: countValue.optional(),
  target_limit: countValue.optional(),
  keep_dropped_targets: countValue.optional(),
  scrape_native_histograms: booleanValue.optional(),
  always_scrape_classic_histograms: booleanValue.optional(),
  convert_classic_histograms_to_nhcb: booleanValue.optional(),
  extra_scrape_metrics: booleanValue
    .refine((isOn) => !isOn, 'the extra metrics are not made: true is not supported')
    .optional(),
  metric_name_validation_scheme: textValue
    .refine(
      (scheme) => scheme === 'utf8' || scheme === '',
      'only utf8 is supported: names are kept as they come',
    )
    .optional(),
  metric_name_escaping_scheme: textValue
    .refine(
      (scheme) => scheme === 'allow-utf-8' || scheme === '',
      'only allow-utf-8 is supported: names are kept as they come',
    )
    .optional(),
};

const failureLog = { scrape_failure_log_file: "failures are in the agent's own log and in /targets" };

const externalLabelsValue = z.record(
  z.string().min(1, 'a label name must not be empty'),
  textValue.refine(
    (text) => !text.includes('$'),
    'environment variables are not expanded here: write the value',
  ),
);

const globalSchema = strictMap(
  {
    ...sharedShape,
    external_labels: externalLabelsValue.nullish(),
    /** What follows concerns rules and queries: read, and without effect on scraping. */
    evaluation_interval: durationValue.optional(),
    rule_query_offset: durationValue.optional(),
    query_log_file: textValue.optional(),
  },
  failureLog,
);

const scrapeRefused: RefusedKeys = {
  ...httpClientRefused,
  ...discoveryRefused,
  ...failureLog,
  native_histogram_min_bucket_factor: 'histograms keep their resolution up to native_histogram_bucket_limit',
  scrape_classic_histograms: 'its name is always_scrape_classic_histograms in Prometheus 3',
  sigv4: 'requests are not signed',
  azuread: 'there is no Azure AD here',
  google_iam: 'there is no Google IAM here',
};

export const scrapeConfigSchema = strictMap(
  {
    ...sharedShape,
    job_name: textValue.refine((name) => name !== '', 'job_name must not be empty'),
    scrape_fallback_protocol: protocolValue.optional(),
    native_histogram_bucket_limit: countValue.default(0),
    honor_labels: booleanValue.default(false),
    honor_timestamps: booleanValue.default(true),
    track_timestamps_staleness: booleanValue.default(false),
    metrics_path: textValue.default('/metrics'),
    scheme: z.enum(['http', 'https'], 'expected http or https').default('http'),
    params: z.record(z.string(), textList).nullish(),
    enable_compression: booleanValue
      .refine((isOn) => isOn, 'pages are asked for compressed always: false is not supported')
      .default(true),
    ...httpClientShape,
    ...discoveryShape,
    relabel_configs: relabelList,
    metric_relabel_configs: relabelList,
  },
  scrapeRefused,
).superRefine((config, context) => {
  for (const conflict of [conflictingAuthentication(config), conflictingProxies(config)]) {
    if (conflict !== undefined) context.addIssue(conflict);
  }
});

/** Sections of Prometheus that concern what an agent does not do: a pasted file may have them, and is told so. */
const unreadShape = {
  rule_files: z.unknown().optional(),
  alerting: z.unknown().optional(),
  remote_write: z.unknown().optional(),
  remote_read: z.unknown().optional(),
  storage: z.unknown().optional(),
  tracing: z.unknown().optional(),
  otlp: z.unknown().optional(),
  runtime: z.unknown().optional(),
};
export const unreadSections = Object.keys(unreadShape) as (keyof typeof unreadShape)[];

export const prometheusSchema = strictMap({
  global: globalSchema.nullish(),
  scrape_config_files: textList.nullish(),
  scrape_configs: z.array(scrapeConfigSchema, 'expected a list of scrape configs').nullish(),
  ...unreadShape,
});

/** A file that scrape_config_files names. */
export const scrapeConfigFileSchema = strictMap({
  scrape_configs: z.array(scrapeConfigSchema, 'expected a list of scrape configs').nullish(),
});

export type GlobalConfig = z.infer<typeof globalSchema>;
export type ScrapeConfig = z.infer<typeof scrapeConfigSchema>;
