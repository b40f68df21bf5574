/**
 * Goal: a Prometheus configuration means here what it means there; what is not followed is refused by name, with its line.
 * Method: real files; a table of configurations with the part of the job that they make; a table of mistakes.
 */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references to groups and variables are written so
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { formatDuration, parseDuration } from '#agent/scrape-config/config-values.ts';
import { type LoadedJobs, loadPrometheusFile } from '#agent/scrape-config/load-prometheus-file.ts';

async function load(
  text: string,
  others: Readonly<Record<string, string>> = {},
): Promise<LoadedJobs & { directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'sonde-prometheus-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, 'conf.d'));
  for (const [name, content] of Object.entries(others)) await writeFile(join(directory, name), content);
  const path = join(directory, 'prometheus.yml');
  await writeFile(path, text);
  try {
    return { ...(await loadPrometheusFile(path)), directory };
  } catch (error) {
    throw new Error((error as Error).message.replaceAll(`${directory}/`, ''), { cause: error });
  }
}

/** The configuration of one job, `{job_name: a, ...}`. */
const job = (text: string): string => `scrape_configs:\n  - {job_name: a, ${text}}`;

test('the file that Prometheus is installed with', async () => {
  const { jobs, notes, directory } = await load(`# my global config
global:
  scrape_interval: 15s # Set the scrape interval to every 15 seconds. Default is every 1 minute.
  evaluation_interval: 15s
alerting:
  alertmanagers:
    - static_configs:
        - targets:
          # - alertmanager:9093
rule_files:
  # - "first_rules.yml"
scrape_configs:
  - job_name: "prometheus"
    # metrics_path defaults to '/metrics'
    static_configs:
      - targets: ["localhost:9090"]
        labels:
          app: "prometheus"
`);
  expect(jobs).toMatchObject([
    {
      name: 'prometheus',
      settings: {
        intervalMs: 15_000,
        timeoutMs: 10_000,
        protocols: [
          'OpenMetricsText1.0.0',
          'OpenMetricsText0.0.1',
          'PrometheusText1.0.0',
          'PrometheusText0.0.4',
        ],
        isHonoringTimestamps: true,
        http: { isFollowingRedirects: true },
      },
      discoveries: [
        { kind: 'static', configs: [{ targets: ['localhost:9090'], labels: { app: 'prometheus' } }] },
      ],
    },
  ]);
  expect(notes).toEqual([
    `${directory}/prometheus.yml: not read by this agent, which only scrapes: rule_files, alerting`,
  ]);
});

test.each<[string, string, object]>([
  [
    'nothing but a name',
    job(''),
    { settings: { intervalMs: 60_000, timeoutMs: 10_000 }, metricsPath: '/metrics', scheme: 'http' },
  ],
  [
    'times, and a global timeout that is longer than the own interval',
    `global: {scrape_interval: 1m, scrape_timeout: 30s}\n${job('scrape_interval: 5s')}`,
    { settings: { intervalMs: 5000, timeoutMs: 5000 } },
  ],
  [
    'limits: the own ones win, 0 is none',
    `global: {sample_limit: 5, label_limit: 6, body_size_limit: 10MB}\n${job('sample_limit: 7, label_limit: 0, target_limit: 3')}`,
    { settings: { limits: { samples: 7, labels: 6, bodyBytes: 10 * 1024 * 1024 } }, targetLimit: 3 },
  ],
  [
    'protocols and histograms',
    job(
      'scrape_native_histograms: true, always_scrape_classic_histograms: yes, convert_classic_histograms_to_nhcb: true, scrape_fallback_protocol: PrometheusText0.0.4, native_histogram_bucket_limit: 100',
    ),
    {
      settings: {
        protocols: [
          'PrometheusProto',
          'OpenMetricsText1.0.0',
          'OpenMetricsText0.0.1',
          'PrometheusText1.0.0',
          'PrometheusText0.0.4',
        ],
        fallbackProtocol: 'PrometheusText0.0.4',
        isTakingNativeHistograms: true,
        isTakingClassicHistograms: true,
        isConvertingClassicHistograms: true,
        limits: { nativeHistogramBuckets: 100 },
      },
    },
  ],
  [
    'what is honoured',
    job('honor_labels: true, honor_timestamps: false, track_timestamps_staleness: true'),
    {
      settings: { isHonoringLabels: true, isHonoringTimestamps: false, isTrackingTimestampsStaleness: true },
    },
  ],
  [
    'the request',
    job(
      'scheme: https, metrics_path: /m, params: {module: [a, b]}, follow_redirects: false, enable_http2: true, proxy_url: "socks5://p:1", no_proxy: "10.0.0.0/8,x", http_headers: {X-A: {values: [1], secrets: [s]}}',
    ),
    {
      scheme: 'https',
      metricsPath: '/m',
      params: { module: ['a', 'b'] },
      settings: {
        http: {
          isFollowingRedirects: false,
          proxyUrl: 'socks5://p:1',
          noProxy: '10.0.0.0/8,x',
          headers: { 'X-A': ['1', 's'] },
        },
      },
    },
  ],
  [
    'a bearer token of old',
    job('bearer_token: t'),
    { settings: { http: { authorization: { type: 'Bearer', credentials: 't' } } } },
  ],
  [
    'a text that looks like a number stays as it is written',
    job('static_configs: [{targets: [h:1], labels: {v: 1.10, on: true}}]'),
    { discoveries: [{ configs: [{ labels: { v: '1.10', on: 'true' } }] }] },
  ],
  [
    'keys without a value',
    'scrape_configs:\n- job_name: a\n  scrape_interval:\n  sample_limit:\n  static_configs:\n  - targets:\n    # - h:1\n  relabel_configs:\n  - {target_label: x, replacement: }\n  metric_relabel_configs:\n',
    { settings: { intervalMs: 60_000 }, discoveries: [{ configs: [{ targets: [] }] }] },
  ],
  [
    'external labels',
    `global: {external_labels: {cluster: c1}}\n${job('')}`,
    { externalLabels: { cluster: 'c1' } },
  ],
  [
    'DNS',
    job('dns_sd_configs: [{names: [a.b], type: a, port: 80}]'),
    {
      discoveries: [
        { kind: 'dns', config: { names: ['a.b'], type: 'A', port: 80, refresh_interval: 30_000 } },
      ],
    },
  ],
  [
    'Kubernetes',
    job(
      'kubernetes_sd_configs: [{role: pod, namespaces: {own_namespace: true, names: [x]}, attach_metadata: {node: true}, selectors: [{role: pod, field: "spec.nodeName=n"}]}]',
    ),
    {
      discoveries: [
        { kind: 'kubernetes', config: { role: 'pod', namespaces: { own_namespace: true, names: ['x'] } } },
      ],
    },
  ],
  [
    'Docker',
    job('docker_sd_configs: [{host: "unix:///var/run/docker.sock"}]'),
    {
      discoveries: [
        { kind: 'docker', config: { port: 80, match_first_network: true, refresh_interval: 60_000 } },
      ],
    },
  ],
])('%s', async (_name, text, expected) => expect((await load(text)).jobs[0]).toMatchObject(expected));

test('paths begin where the file is, and secrets may be files', async () => {
  const { jobs, directory } = await load(
    job(
      'file_sd_configs: [{files: [t/*.json]}], basic_auth: {username: u, password_file: pw}, tls_config: {ca_file: /ca, cert_file: c, key_file: k, min_version: TLS12}',
    ),
  );
  expect(jobs[0]).toMatchObject({
    settings: {
      http: {
        basicAuth: { username: 'u', passwordFile: join(directory, 'pw') },
        tls: {
          caFile: '/ca',
          certFile: join(directory, 'c'),
          keyFile: join(directory, 'k'),
          minVersion: 'TLSv1.2',
        },
      },
    },
    discoveries: [{ kind: 'file', config: { files: [join(directory, 't/*.json')] } }],
  });
});

test('scrape_config_files are read with the global settings, anchors and merges too', async () => {
  const { jobs, versions } = await load(
    'global: {scrape_interval: 7s, scrape_timeout: 3s}\nscrape_config_files: ["conf.d/*.yml"]',
    {
      'conf.d/a.yml':
        'scrape_configs:\n  - &base {job_name: b, scheme: https}\n  - {<<: *base, job_name: c}\n',
    },
  );
  expect(jobs.map(({ name, scheme, settings }) => `${name} ${scheme} ${settings.intervalMs}`)).toEqual([
    'b https 7000',
    'c https 7000',
  ]);
  expect(versions.size).toBe(2);
});

test.each<[string, string, string]>([
  [
    'an unknown section',
    'scrape_config: []',
    'prometheus.yml:1: unknown key "scrape_config", did you mean "scrape_configs"?',
  ],
  [
    'an unknown key deep inside',
    job('\n    relabel_configs: [\n     {source_label: [a]}]'),
    'prometheus.yml:4: scrape_configs.0.relabel_configs.0: unknown key "source_label", did you mean "source_labels"?',
  ],
  [
    'a discovery that is not there',
    job('\n    ec2_sd_configs: []'),
    'prometheus.yml:3: scrape_configs.0: "ec2_sd_configs" is not supported: of the discoveries there are static',
  ],
  [
    'a field that is not followed',
    job('proxy_connect_header: {a: [b]}'),
    'scrape_configs.0: "proxy_connect_header" is not supported: headers to the proxy are not sent',
  ],
  ['exceptions without a proxy', job('no_proxy: x'), 'scrape_configs.0: no_proxy is given without proxy_url'],
  [
    'two proxies',
    job('proxy_from_environment: true, proxy_url: "http://p:1"'),
    'with proxy_from_environment, proxy_url must not be given',
  ],
  [
    'a value that is not followed',
    job('enable_compression: false'),
    'scrape_configs.0.enable_compression: pages are asked for compressed always: false is not supported',
  ],
  ['legacy names', job('metric_name_validation_scheme: legacy'), 'only utf8 is supported'],
  ['no name', 'scrape_configs: [{}]', 'scrape_configs.0.job_name: expected a text'],
  [
    'a name twice',
    'scrape_configs:\n- job_name: a\n- job_name: a',
    'prometheus.yml:3: job_name "a" is taken already, by prometheus.yml:2',
  ],
  [
    'a duration that is none',
    job('scrape_interval: 1s1m'),
    'expected a duration such as 30s, 1m30s or 500ms, got "1s1m"',
  ],
  [
    'a timeout beyond the interval',
    job('scrape_interval: 5s, scrape_timeout: 6s'),
    'prometheus.yml:2: scrape_timeout 6s is greater than scrape_interval 5s',
  ],
  [
    'a size without a unit',
    job('body_size_limit: 10'),
    'expected a size with its unit such as 512KB or 10MB, got "10"',
  ],
  [
    'two credentials',
    job('basic_auth: {}, authorization: {}'),
    'at most one of basic_auth and authorization must be given',
  ],
  [
    'a password twice',
    job('basic_auth: {password: a, password_file: b}'),
    'at most one of password and password_file must be given',
  ],
  ['basic as a type', job('authorization: {type: basic}'), 'type "Basic" is written as basic_auth'],
  ['half a certificate', job('tls_config: {cert: x}'), 'a client certificate needs both'],
  [
    'a header of the request itself',
    job('http_headers: {Host: {values: [a]}}'),
    'the header "Host" is reserved',
  ],
  [
    'a bad rule',
    job('metric_relabel_configs: [{action: keep, regex: "("}]'),
    'scrape_configs.0.metric_relabel_configs.0: "(" is not a regular expression of RE2',
  ],
  [
    'a modulus that is none',
    job('relabel_configs: [{action: hashmod, target_label: a, modulus: x}]'),
    'expected a whole number that is not negative',
  ],
  [
    'DNS without a port',
    job('dns_sd_configs: [{names: [a], type: A}]'),
    'a port is required for all record types but SRV',
  ],
  [
    'a selector of another role',
    job('kubernetes_sd_configs: [{role: service, selectors: [{role: pod}]}]'),
    'role service takes selectors of role service only, not pod',
  ],
  [
    'a file of no known form',
    job('file_sd_configs: [{files: [a.txt]}]'),
    '"a.txt" must end with .json, .yml or .yaml',
  ],
  ['a variable', 'global: {external_labels: {a: "${HOST}"}}', 'environment variables are not expanded here'],
  ['no YAML', 'a: [', 'prometheus.yml: line 1: '],
  ['too deep', `a: ${'['.repeat(60)}`, 'prometheus.yml: line 1: more than 50 brackets are open'],
])('refused: %s', async (_name, text, message) => await expect(load(text)).rejects.toThrow(message));

test('all mistakes of a file are told at once', async () => {
  const text = job('scrape_interval: x, sample_limit: -1, foo: 1');
  await expect(load(text)).rejects.toThrow(/scrape_interval: .*\n.*sample_limit: .*\n.*unknown key "foo"/);
});

test.each([
  ['0', 0, '0s'],
  ['1h30m', 5_400_000, '1h30m'],
  ['90s', 90_000, '1m30s'],
  ['1w2d', 777_600_000, '9d'],
  ['25h', 90_000_000, '25h'],
  ['1500ms', 1500, '1s500ms'],
])('the duration %s', (text, ms, formatted) => {
  expect(parseDuration(text)).toBe(ms);
  expect(formatDuration(ms)).toBe(formatted);
});
