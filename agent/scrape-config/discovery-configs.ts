/** The `*_sd_configs` of a scrape config: what each kind of discovery takes, and which kinds there are not. */
import { z } from 'zod';
import {
  booleanValue,
  durationValue,
  portValue,
  type RefusedKeys,
  strictMap,
  textList,
  textValue,
  urlValue,
} from './config-values.ts';
import {
  conflictingAuthentication,
  type HttpClientConfig,
  httpClientRefused,
  httpClientShape,
} from './http-client-config.ts';

const labelsValue = z.record(z.string().min(1, 'a label name must not be empty'), textValue);

const staticSchema = strictMap({
  targets: textList.default([]),
  labels: labelsValue.nullish(),
});

const fileSchema = strictMap({
  files: textList.refine((files) => files.length > 0, 'at least one file must be given'),
  refresh_interval: durationValue.default(300_000),
}).superRefine(({ files }, context) => {
  for (const file of files) {
    if (!/\.(json|yml|yaml|JSON|YML|YAML)$/.test(file)) {
      context.addIssue(`"${file}" must end with .json, .yml or .yaml`);
    }
  }
});

/** The discoveries' own requests are simpler than those of scrapes. */
const clientRefused: RefusedKeys = {
  ...httpClientRefused,
  oauth2: 'use authorization or basic_auth for a discovery',
  proxy_url: 'a discovery asks its server directly',
  no_proxy: 'a discovery asks its server directly',
  proxy_from_environment: 'a discovery asks its server directly',
};
const {
  oauth2: _oauth2,
  proxy_url: _proxyUrl,
  no_proxy: _noProxy,
  proxy_from_environment: _isProxyFromEnvironment,
  ...clientShape
} = httpClientShape;

function checkAuthentication(config: HttpClientConfig, context: z.RefinementCtx): void {
  const conflict = conflictingAuthentication(config);
  if (conflict !== undefined) context.addIssue(conflict);
}

const refreshDefaultMs = 60_000;
const refreshInterval = (defaultMs: number): z.ZodDefault<typeof positiveDuration> =>
  positiveDuration.default(defaultMs);
const positiveDuration = durationValue.refine((ms) => ms > 0, 'expected more than 0');

const httpSchema = strictMap(
  { ...clientShape, url: urlValue, refresh_interval: refreshInterval(refreshDefaultMs) },
  clientRefused,
).superRefine(checkAuthentication);

const dnsTypes = ['A', 'AAAA', 'SRV', 'MX', 'NS'] as const;
const dnsSchema = strictMap({
  names: textList.refine((names) => names.length > 0, 'at least one name must be given'),
  refresh_interval: refreshInterval(30_000),
  type: textValue
    .transform((type) => type.toUpperCase())
    .pipe(z.enum(dnsTypes, `expected one of ${dnsTypes.join(', ')}`))
    .default('SRV'),
  port: portValue.optional(),
}).refine(
  ({ type, port }) => type === 'SRV' || port !== undefined,
  'a port is required for all record types but SRV',
);

const dockerSchema = strictMap(
  {
    ...clientShape,
    host: textValue.refine(
      (host) => /^(unix:\/\/\/.+|(tcp|http|https):\/\/[^/]+\/?)$/.test(host),
      'expected unix:///var/run/docker.sock, tcp://host:port, http:// or https://',
    ),
    port: portValue.default(80),
    filters: z.array(strictMap({ name: textValue, values: textList.default([]) })).default([]),
    host_networking_host: textValue.default('localhost'),
    match_first_network: booleanValue.default(true),
    refresh_interval: refreshInterval(refreshDefaultMs),
  },
  clientRefused,
).superRefine(checkAuthentication);

export const kubernetesRoles = ['node', 'service', 'pod', 'endpoints', 'endpointslice', 'ingress'] as const;
export type KubernetesRole = (typeof kubernetesRoles)[number];

/** Which roles a selector may be for, as each role watches these objects (Prometheus, kubernetes_sd). */
const selectorRoles: Readonly<Record<KubernetesRole, readonly KubernetesRole[]>> = {
  node: ['node'],
  service: ['service'],
  pod: ['pod', 'node'],
  endpoints: ['endpoints', 'pod', 'service', 'node'],
  endpointslice: ['endpointslice', 'pod', 'service', 'node'],
  ingress: ['ingress'],
};
const roleValue = z.enum(kubernetesRoles, `expected one of ${kubernetesRoles.join(', ')}`);

const kubernetesSchema = strictMap(
  {
    ...clientShape,
    api_server: urlValue.optional(),
    kubeconfig_file: textValue.optional(),
    role: roleValue,
    namespaces: strictMap({
      own_namespace: booleanValue.default(false),
      names: textList.default([]),
    }).nullish(),
    selectors: z
      .array(strictMap({ role: roleValue, label: textValue.default(''), field: textValue.default('') }))
      .default([]),
    attach_metadata: strictMap({
      node: booleanValue.default(false),
      namespace: booleanValue.default(false),
    }).nullish(),
  },
  clientRefused,
).superRefine((config, context) => {
  checkAuthentication(config, context);
  if (config.api_server !== undefined && config.kubeconfig_file !== undefined) {
    context.addIssue('at most one of api_server and kubeconfig_file must be given');
  }
  const seen = new Set<string>();
  for (const { role } of config.selectors) {
    if (!selectorRoles[config.role].includes(role)) {
      context.addIssue(
        `role ${config.role} takes selectors of role ${selectorRoles[config.role].join(', ')} only, not ${role}`,
      );
    }
    if (seen.has(role)) context.addIssue(`more than one selector of role ${role}`);
    seen.add(role);
  }
});

const list = <Schema extends z.ZodType>(schema: Schema): z.ZodOptional<z.ZodNullable<z.ZodArray<Schema>>> =>
  z.array(schema, 'expected a list').nullish();

export const discoveryShape = {
  static_configs: list(staticSchema),
  file_sd_configs: list(fileSchema),
  http_sd_configs: list(httpSchema),
  dns_sd_configs: list(dnsSchema),
  docker_sd_configs: list(dockerSchema),
  kubernetes_sd_configs: list(kubernetesSchema),
};

export type StaticConfig = z.infer<typeof staticSchema>;
export type FileConfig = z.infer<typeof fileSchema>;
export type HttpConfig = z.infer<typeof httpSchema>;
export type DnsConfig = z.infer<typeof dnsSchema>;
export type DockerConfig = z.infer<typeof dockerSchema>;
export type KubernetesConfig = z.infer<typeof kubernetesSchema>;

const missing =
  'of the discoveries there are static, file, http, dns, docker and kubernetes; file_sd_configs and http_sd_configs can bring any other';
export const discoveryRefused: RefusedKeys = Object.fromEntries(
  'aws azure consul digitalocean dockerswarm ec2 eureka gce hetzner ionos kuma lightsail linode marathon nerve nomad openstack outscale ovhcloud puppetdb scaleway serverset stackit triton uyuni vultr xds'
    .split(' ')
    .map((kind) => [`${kind}_sd_configs`, missing]),
);
