/**
 * Scraping without any configuration: pods that are annotated, containers that are labelled. Written as the scrape configs that
 * one would write by hand.
 *
 *   annotation prometheus.io/scrape: "true" on a pod of this node  ->  its ports are scraped
 */
import { type ScrapeConfig, scrapeConfigSchema } from './scrape-config-schema.ts';
import { type ScrapeDefaults, type ScrapeJob, scrapeJob } from './scrape-job.ts';

type Rule = Readonly<Record<string, unknown>>;

/** Of what nobody wrote a scrape config for: old exporters state all sorts of types, or none. */
export const builtInFields = { scrape_fallback_protocol: 'PrometheusText0.0.4' } as const;

/** Sets `target` from the first of the labels that is there: later rules win, so they are written backwards. */
function firstOf(labels: readonly string[], target: string, regex = '(.+)'): Rule[] {
  return [...labels].reverse().map((label) => ({ source_labels: [label], regex, target_label: target }));
}

/** `host` with the port that an annotation names; a host may be an IPv6 address. */
function withPort(host: string, ports: readonly string[]): Rule[] {
  return [...ports].reverse().flatMap((port) => [
    {
      source_labels: [host, port],
      regex: '([^:]+);(\\d+)',
      target_label: '__address__',
      replacement: '$1:$2',
    },
    {
      source_labels: [host, port],
      regex: '(.*:.*);(\\d+)',
      target_label: '__address__',
      replacement: '[$1]:$2',
    },
  ]);
}

const pod = '__meta_kubernetes_pod';
const annotation = (name: string): string => `${pod}_annotation_${name}`;

/** Pods of one node with `prometheus.io/scrape: "true"` or `sonde.io/scrape: "true"`; what sonde.io says wins. */
export function annotatedPodsJob(node: string, defaults: ScrapeDefaults): ScrapeJob {
  const ports = [annotation('sonde_io_port'), annotation('prometheus_io_port')];
  return builtIn(
    {
      job_name: 'annotated-pods',
      kubernetes_sd_configs: [{ role: 'pod', selectors: [{ role: 'pod', field: `spec.nodeName=${node}` }] }],
      relabel_configs: [
        {
          source_labels: [annotation('prometheus_io_scrape'), annotation('sonde_io_scrape')],
          regex: 'true;|.*;true',
          action: 'keep',
        },
        { source_labels: [`${pod}_phase`], regex: 'Succeeded|Failed', action: 'drop' },
        // Without a port in an annotation, the TCP ports that are declared are scraped.
        { source_labels: [...ports, `${pod}_container_port_number`], regex: ';;', action: 'drop' },
        {
          source_labels: [...ports, `${pod}_container_port_protocol`],
          regex: ';;(UDP|SCTP)',
          action: 'drop',
        },
        ...withPort(`${pod}_ip`, ports),
        ...firstOf([annotation('sonde_io_path'), annotation('prometheus_io_path')], '__metrics_path__'),
        ...firstOf(
          [annotation('sonde_io_scheme'), annotation('prometheus_io_scheme')],
          '__scheme__',
          '(https?)',
        ),
        ...firstOf([annotation('sonde_io_interval')], '__scrape_interval__'),
        ...firstOf(
          [
            annotation('sonde_io_job'),
            `${pod}_label_app_kubernetes_io_name`,
            `${pod}_label_app`,
            `${pod}_label_k8s_app`,
          ],
          'job',
        ),
        { source_labels: ['__meta_kubernetes_namespace'], target_label: 'namespace' },
        { source_labels: [`${pod}_name`], target_label: 'pod' },
        { source_labels: [...ports, `${pod}_container_name`], regex: ';;(.+)', target_label: 'container' },
        { source_labels: [`${pod}_node_name`], target_label: 'node' },
      ],
    },
    defaults,
  );
}

const container = '__meta_docker_container';
const label = (name: string): string => `${container}_label_${name}`;

/** Containers with the label `prometheus.io/scrape=true` or `sonde.scrape=true`; what sonde says wins. */
export function labelledContainersJob(host: string, defaults: ScrapeDefaults): ScrapeJob {
  const ports = [label('sonde_port'), label('prometheus_io_port'), label('prometheus_port')];
  return builtIn(
    {
      job_name: 'labelled-containers',
      docker_sd_configs: [{ host, refresh_interval: '15s' }],
      relabel_configs: [
        {
          source_labels: [label('prometheus_io_scrape'), label('prometheus_scrape'), label('sonde_scrape')],
          regex: 'true;.*;|.*;true;|.*;true',
          action: 'keep',
        },
        { source_labels: [...ports, '__meta_docker_port_private'], regex: ';;;', action: 'drop' },
        ...withPort('__meta_docker_network_ip', ports),
        // A container in the host's network has no address of its own.
        ...[...ports].reverse().map((port) => ({
          source_labels: [`${container}_network_mode`, port],
          regex: 'host;(\\d+)',
          target_label: '__address__',
          replacement: 'localhost:$1',
        })),
        ...firstOf(
          [label('sonde_path'), label('prometheus_io_path'), label('prometheus_path')],
          '__metrics_path__',
        ),
        ...firstOf(
          [label('sonde_scheme'), label('prometheus_io_scheme'), label('prometheus_scheme')],
          '__scheme__',
          '(https?)',
        ),
        ...firstOf([label('sonde_interval')], '__scrape_interval__'),
        { source_labels: [`${container}_name`], regex: '/?(.+)', target_label: 'container' },
        ...firstOf([label('sonde_job'), label('com_docker_compose_service'), 'container'], 'job'),
      ],
    },
    defaults,
  );
}

/** Targets that file_sd files name, without a scrape config around them (`scrape.files`). */
export function targetFilesJob(globs: readonly string[], defaults: ScrapeDefaults): ScrapeJob {
  const config: ScrapeConfig = scrapeConfigSchema.parse({ ...builtInFields, job_name: 'file' });
  const job = scrapeJob(config, {}, '/', defaults);
  // Globs of this option need not end in .json as those of file_sd_configs must.
  return {
    ...job,
    discoveries: [{ kind: 'file', config: { files: [...globs], refresh_interval: 0 } }],
  };
}

function builtIn(config: Rule, defaults: ScrapeDefaults): ScrapeJob {
  return {
    ...scrapeJob(scrapeConfigSchema.parse({ ...builtInFields, ...config }), {}, '/', defaults),
    isTimeoutCut: true,
  };
}
