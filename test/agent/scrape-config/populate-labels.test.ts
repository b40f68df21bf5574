/**
 * Goal: what discovery says becomes the same target as in Prometheus 3, or the reason why it is none.
 * Method: a table of scrape configs and discovered labels, rendered as URL and labels.
 */
import { expect, test } from 'vitest';
import { populateLabels } from '#agent/scrape-config/populate-labels.ts';
import { scrapeConfigSchema } from '#agent/scrape-config/scrape-config-schema.ts';
import { scrapeJob } from '#agent/scrape-config/scrape-job.ts';

function resolve(
  config: object,
  discovered: Record<string, string>,
  external: Record<string, string> = {},
): string {
  const job = scrapeJob(
    scrapeConfigSchema.parse({ job_name: 'j', ...config }),
    { external_labels: external },
    '/',
  );
  const resolution = populateLabels(discovered, { group: 'g', shared: 'of the group' }, job);
  if (resolution.kind === 'dropped') return 'dropped';
  if (resolution.kind === 'invalid') return resolution.reason;
  const { url, labels, settings } = resolution.target;
  const times = settings === job.settings ? '' : ` every ${settings.intervalMs} within ${settings.timeoutMs}`;
  return `${url} ${labels.map(([name, value]) => `${name}=${value}`).join(' ')}${times}`;
}

const plain = 'group=g instance=a:80 job=j shared=of the group';

test.each<[string, object, Record<string, string>, string]>([
  [
    'the defaults; the port stays in the address',
    {},
    { __address__: 'a:80' },
    `http://a:80/metrics ${plain}`,
  ],
  [
    'no port is added',
    {},
    { __address__: 'a' },
    'http://a/metrics group=g instance=a job=j shared=of the group',
  ],
  [
    'own labels win over the group',
    {},
    { __address__: 'a:80', shared: 'own', job: 'x' },
    'http://a:80/metrics group=g instance=a:80 job=x shared=own',
  ],
  [
    'an instance of its own',
    {},
    { __address__: 'a:80', instance: 'i' },
    'http://a:80/metrics group=g instance=i job=j shared=of the group',
  ],
  [
    'labels that steer',
    { scheme: 'http' },
    { __address__: 'a:9', __scheme__: 'https', __metrics_path__: 'm x' },
    'https://a:9/m%20x group=g instance=a:9 job=j shared=of the group',
  ],
  [
    'parameters; the first may come from a label',
    { params: { m: ['1', '2'], n: ['3'] } },
    { __address__: 'a:80', __param_m: 'x', __param_a: 'y z' },
    `http://a:80/metrics?a=y+z&m=x&m=2&n=3 ${plain}`,
  ],
  [
    'rules see the defaults and set the rest',
    {
      relabel_configs: [{ source_labels: ['job', '__scrape_interval__', '__param_x'], target_label: 'seen' }],
      params: { x: ['p'] },
    },
    { __address__: 'a:80' },
    'http://a:80/metrics?x=p group=g instance=a:80 job=j seen=j;1m;p shared=of the group',
  ],
  [
    'times of its own',
    {},
    { __address__: 'a:80', __scrape_interval__: '10s', __scrape_timeout__: '5s' },
    `http://a:80/metrics ${plain} every 10000 within 5000`,
  ],
  [
    'all that starts with __ is gone',
    {},
    { __address__: 'a:80', __meta_x: '1', __tmp: '2' },
    `http://a:80/metrics ${plain}`,
  ],
  [
    'an address of IPv6',
    {},
    { __address__: '[::1]:8080' },
    'http://[::1]:8080/metrics group=g instance=[::1]:8080 job=j shared=of the group',
  ],
  [
    'dropped',
    { relabel_configs: [{ source_labels: ['__meta_x'], regex: '1', action: 'keep' }] },
    { __address__: 'a:80' },
    'dropped',
  ],
  ['no address', {}, { __address__: '' }, 'j: a target without __address__'],
  [
    'a path in the address',
    {},
    { __address__: 'a:80/m' },
    'j: "a:80/m" is no valid address: a path belongs into __metrics_path__',
  ],
  [
    'no host',
    {},
    { __address__: 'a b' },
    'j: "a b" is no valid address: expected a host and port such as 127.0.0.1:8080',
  ],
  [
    'another scheme',
    {},
    { __address__: 'a:80', __scheme__: 'ftp' },
    'j: a:80: __scheme__ is "ftp", neither http nor https',
  ],
  [
    'an interval that is none',
    {},
    { __address__: 'a:80', __scrape_interval__: 'x' },
    'j: a:80: __scrape_interval__ is no duration: "x"',
  ],
  [
    'an interval of nothing',
    {},
    { __address__: 'a:80', __scrape_interval__: '0s' },
    'j: a:80: __scrape_interval__ must not be 0',
  ],
  [
    'a timeout beyond the interval',
    {},
    { __address__: 'a:80', __scrape_interval__: '5s' },
    'j: a:80: __scrape_timeout__ (10s) is greater than __scrape_interval__ (5s)',
  ],
  [
    'a value that is no text',
    {},
    { __address__: 'a:80', x: '\ud800' },
    'j: a:80: the value of label "x" is not valid UTF-8',
  ],
])('%s', (_name, config, discovered, expected) => expect(resolve(config, discovered)).toBe(expected));

test('external labels are added where a target has none of that name', () => {
  expect(resolve({}, { __address__: 'a:80' }, { cluster: 'c', group: 'x', instance: 'y' })).toBe(
    `http://a:80/metrics cluster=c ${plain}`,
  );
});

test('discovered labels are kept as they were before the rules', () => {
  const config = scrapeConfigSchema.parse({
    job_name: 'j',
    relabel_configs: [{ regex: 'a.*', action: 'labeldrop' }],
  });
  const resolution = populateLabels(
    { __address__: 'h:1', a: '1', empty: '' },
    {},
    scrapeJob(config, {}, '/'),
  );
  expect(resolution).toMatchObject({
    kind: 'target',
    target: {
      scrapePool: 'j',
      discoveredLabels: {
        __address__: 'h:1',
        __metrics_path__: '/metrics',
        __scheme__: 'http',
        __scrape_interval__: '1m',
        __scrape_timeout__: '10s',
        a: '1',
        job: 'j',
      },
    },
  });
});
