/**
 * Goal: labels, annotations and variables say how logs are collected, and what cannot be understood is named.
 * Method: tables from what a person writes to the rules and the problems.
 */
import { expect, test } from 'vitest';
import { dockerRules, podRules } from '#agent/containers/container-rules.ts';
import { parseByteRate } from '#agent/containers/rules/byte-rate.ts';

type Texts = Record<string, string>;

/** Only what differs from a container without rules. */
function compact({ rules, tags }: ReturnType<typeof dockerRules>): Record<string, unknown> {
  const plain = dockerRules({}, {}).rules;
  const changed = Object.entries(rules).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(plain[key as keyof typeof plain]),
  );
  return { ...Object.fromEntries(changed), ...(Object.keys(tags).length === 0 ? {} : { tags }) };
}

test('without rules the standard streams are collected, with built-in stack traces', () => {
  expect(dockerRules({}, {})).toEqual({
    rules: {
      isCollected: true,
      store: '',
      files: [],
      multiline: 'auto',
      parse: '',
      rateLimitBytes: 0,
      problems: [],
    },
    tags: {},
  });
});

test.each<[string, Texts, Record<string, unknown>]>([
  ['a store for the streams', { 'sonde.logs.web': 'stdout' }, { store: 'web' }],
  [
    'files',
    { 'sonde.logs.access': '/var/log/nginx/*.log', 'sonde.logs.a.b': '/x/y' },
    {
      files: [
        { store: 'access', path: '/var/log/nginx/*.log' },
        { store: 'a.b', path: '/x/y' },
      ],
    },
  ],
  ['no streams', { 'sonde.logs': 'false' }, { isCollected: false }],
  ['streams', { 'sonde.logs': 'TRUE' }, {}],
  [
    'how lines are read',
    { 'sonde.multiline': '^\\d{4}-', 'sonde.parse': 'logfmt', 'sonde.rate-limit': '1.5MiB/s' },
    { multiline: '^\\d{4}-', parse: 'logfmt', rateLimitBytes: 1_572_864 },
  ],
  ['no joining', { 'sonde.multiline': 'off' }, { multiline: 'off' }],
  [
    'tags',
    { 'sonde.logs.web': 'stdout', 'sonde.logs.web.tags': 'team=shop, tier=1,' },
    { store: 'web', tags: { team: 'shop', tier: '1' } },
  ],
  ['labels of others', { 'com.example.logs': 'x', maintainer: 'y' }, {}],
  [
    'log-pilot',
    { 'aliyun.logs.catalina': 'stdout', 'aliyun.logs.access': '/usr/local/tomcat/logs/a.*.txt' },
    { store: 'catalina', files: [{ store: 'access', path: '/usr/local/tomcat/logs/a.*.txt' }] },
  ],
  [
    'log-pilot, with all that has a meaning',
    {
      'aliyun.logs.a': 'stdout',
      'aliyun.logs.a.format': 'json',
      'aliyun.logs.a.tags': 'k1=v1,k2=v2',
      'aliyun.logs.a.target': 'index-a',
    },
    { store: 'index-a', parse: 'json', tags: { k1: 'v1', k2: 'v2' } },
  ],
  ['log-pilot, plain text', { 'aliyun.logs.a': 'stdout', 'aliyun.logs.a.format': 'none' }, { store: 'a' }],
  [
    'Container Service',
    { 'aliyun.log_store_web': 'stdout', 'aliyun.log_store_info': '/home/admin/logs/*.log' },
    { store: 'web', files: [{ store: 'info', path: '/home/admin/logs/*.log' }] },
  ],
  ['our label wins', { 'aliyun.logs.a': 'stdout', 'sonde.logs.a': 'stdout' }, { store: 'a' }],
])('labels of a container: %s', (_name, labels, rules) =>
  expect(compact(dockerRules(labels, {}))).toEqual(rules),
);

test.each<[string, Texts, string[]]>([
  [
    'a typo',
    { 'sonde.log': 'false' },
    [
      'sonde.log: there is no such label: there are sonde.logs, sonde.logs.<store>, sonde.logs.<store>.tags, sonde.multiline, sonde.parse and sonde.rate-limit',
    ],
  ],
  ['no truth', { 'sonde.logs': 'no' }, ['sonde.logs: "no" is neither "true" nor "false"']],
  [
    'a relative path',
    { 'sonde.logs.a': 'app.log' },
    [
      'sonde.logs.a: "app.log" is neither "stdout" nor the absolute path of a file such as /var/log/app/*.log',
    ],
  ],
  [
    'a directory',
    { 'sonde.logs.a': '/var/log/' },
    [
      'sonde.logs.a: "/var/log/" is neither "stdout" nor the absolute path of a file such as /var/log/app/*.log',
    ],
  ],
  [
    'a way out',
    { 'sonde.logs.a': '/var/log/../../etc/shadow' },
    ['sonde.logs.a: "/var/log/../../etc/shadow" has "..": write the path without it'],
  ],
  [
    'a name that is none',
    { 'sonde.logs.ä': 'stdout' },
    ['sonde.logs.ä: "ä" is no store\'s name: use letters, digits, ".", "_" and "-", at most 128'],
  ],
  [
    'a broken expression',
    { 'sonde.multiline': '(' },
    ['sonde.multiline: "(" is no regular expression (RE2): error parsing regexp: missing closing ): `(`'],
  ],
  [
    'an expression that RE2 has not',
    { 'sonde.multiline': '(?=a)' },
    [expect.stringContaining('sonde.multiline: "(?=a)" is no regular expression (RE2)') as unknown as string],
  ],
  [
    'a parser that is none',
    { 'sonde.parse': 'JSON!' },
    ['sonde.parse: "JSON!" is no parser\'s name such as json'],
  ],
  [
    'a tag that is none',
    { 'sonde.logs.a.tags': 'team' },
    ['sonde.logs.a.tags: "team" is no tag such as team=shop'],
  ],
  [
    'two stores for the streams',
    { 'sonde.logs.a': 'stdout', 'sonde.logs.b': 'stdout' },
    ['sonde.logs.b: sonde.logs.a says "a" already, which holds'],
  ],
  [
    'two values of a tag',
    {
      'aliyun.logs.a': 'stdout',
      'aliyun.logs.a.tags': 'k=1',
      'aliyun.logs.b': '/b',
      'aliyun.logs.b.tags': 'k=2',
    },
    ['aliyun.logs.b.tags: the tag k is "1" already: all logs of a container share their tags'],
  ],
  [
    'a format without a parser',
    { 'aliyun.logs.a': 'stdout', 'aliyun.logs.a.format': 'csv' },
    ['aliyun.logs.a.format: there is no parser for the format "csv": lines stay as they are'],
  ],
  [
    'a format of nothing',
    { 'aliyun.logs.a.format': 'json' },
    ['aliyun.logs.a.format: nothing says which logs "a" has'],
  ],
  [
    'an own suffix',
    { 'aliyun.logs.a': 'stdout', 'aliyun.logs.a.format.pattern': '.' },
    ['aliyun.logs.a.format.pattern: "format.pattern" is not known'],
  ],
  [
    'a retention',
    { 'aliyun.log_store_a': 'stdout', 'aliyun.log_ttl_a': '30' },
    [
      'aliyun.log_ttl_a: how long logs are kept is set for the whole store (store.retention), not for a container',
    ],
  ],
  [
    'a time',
    { 'aliyun.log.timestamp': 'false' },
    ['aliyun.log.timestamp: every record has the time that the runtime wrote: there is nothing to switch'],
  ],
])('a problem of labels: %s', (_name, labels, problems) =>
  expect(dockerRules(labels, {}).rules.problems).toEqual(problems),
);

test.each<[string, Texts, Record<string, unknown>]>([
  [
    'a store and files',
    { aliyun_logs_catalina: 'stdout', aliyun_logs_access: '/log/*.log' },
    { store: 'catalina', files: [{ store: 'access', path: '/log/*.log' }] },
  ],
  [
    'a store of another name',
    { aliyun_logs_a: 'stdout', aliyun_logs_a_logstore: 'my-store' },
    { store: 'my-store' },
  ],
  [
    'underscores in a name',
    { aliyun_logs_my_app: 'stdout', aliyun_logs_my_app_tags: 'a=1' },
    { store: 'my_app', tags: { a: '1' } },
  ],
  [
    'tags under a name of their own',
    { aliyun_logs_x: '/var/log/*.log', aliyun_logs_mytag1_tags: 'tag1=v1' },
    { files: [{ store: 'x', path: '/var/log/*.log' }], tags: { tag1: 'v1' } },
  ],
  [
    'one stream',
    { aliyun_logs_in: 'stdout-only' },
    {
      store: 'in',
      problems: [
        'aliyun_logs_in: both standard streams are collected: the attribute log.iostream tells them apart',
      ],
    },
  ],
  [
    'what has no meaning here',
    {
      aliyun_logs_project: 'k8s-log',
      aliyun_logs_a: 'stdout',
      aliyun_logs_a_ttl: '7',
      aliyun_logs_a_shard: '2',
      aliyun_logs_a_machinegroup: 'g',
      aliyun_logs_a_project: 'p',
      aliyun_logs_a_product: 'k8s-nginx-ingress',
    },
    {
      store: 'a',
      problems: [
        'aliyun_logs_project: there are no projects: agent.tenant says whose logs these are',
        'aliyun_logs_a_ttl: how long logs are kept is set for the whole store (store.retention), not for a container',
        'aliyun_logs_a_shard: there are no shards: the store spreads its data by itself',
        'aliyun_logs_a_machinegroup: there are no machine groups',
        'aliyun_logs_a_project: there are no projects: agent.tenant says whose logs these are',
        'aliyun_logs_a_product: there are no product dashboards',
      ],
    },
  ],
  [
    'Logtail details',
    { aliyun_logs_a: 'file', aliyun_logs_a_detail: '{}' },
    {
      problems: [
        'aliyun_logs_a: "file" is neither "stdout" nor the absolute path of a file such as /var/log/app/*.log',
        'aliyun_logs_a_detail: collection details of Logtail are not read: use multiline, parse and rate-limit rules',
      ],
    },
  ],
  ['variables of others', { PATH: '/bin', aliyun_log: 'x' }, {}],
])('variables of a container: %s', (_name, environment, rules) => {
  expect(compact(dockerRules({}, environment))).toEqual(rules);
  expect(compact(podRules({}, environment, 'web', ['web']))).toEqual(rules);
});

test.each<[string, Texts, Record<string, unknown>]>([
  ['for all containers', { 'sonde.io/logs': 'false' }, { isCollected: false }],
  ['but for this one', { 'sonde.io/logs': 'false', 'sonde.io/logs.web': 'true' }, {}],
  ['for another one', { 'sonde.io/logs.proxy': 'false' }, {}],
  [
    'all of them',
    {
      'sonde.io/store.web': 'front',
      'sonde.io/files.web': 'access=/var/log/a/*.log, errors=/var/log/e.log',
      'sonde.io/multiline': 'off',
      'sonde.io/parse.web': 'json',
      'sonde.io/rate-limit': '64KiB',
      'sonde.io/tags': 'team=shop',
    },
    {
      store: 'front',
      files: [
        { store: 'access', path: '/var/log/a/*.log' },
        { store: 'errors', path: '/var/log/e.log' },
      ],
      multiline: 'off',
      parse: 'json',
      rateLimitBytes: 65_536,
      tags: { team: 'shop' },
    },
  ],
  [
    'a file without a store',
    { 'sonde.io/files': '/var/log/a.log' },
    { problems: ['sonde.io/files: "/var/log/a.log" is not <store>=<path>'] },
  ],
  [
    'a typo',
    { 'sonde.io/ratelimit': '1' },
    {
      problems: [
        'sonde.io/ratelimit: there is no such annotation: there are logs, store, files, multiline, parse, rate-limit, tags',
      ],
    },
  ],
  [
    'a container that is not there',
    { 'sonde.io/logs.wbe': 'false' },
    { problems: ['sonde.io/logs.wbe: the pod has no container of this name: it has web, proxy'] },
  ],
  ['log-pilot in an annotation', { 'aliyun.logs.a': 'stdout' }, { store: 'a' }],
])('annotations of a pod: %s', (_name, annotations, rules) =>
  expect(compact(podRules(annotations, {}, 'web', ['web', 'proxy']))).toEqual(rules),
);

test('what a container asks for is bounded, and said to be', () => {
  const labels = Object.fromEntries(
    Array.from({ length: 100 }, (_, index) => [`sonde.logs.s${index}`, `/log/${index}`]),
  );
  const { files, problems } = dockerRules(labels, {}).rules;
  expect(files).toHaveLength(32);
  expect(problems).toHaveLength(17);
  expect(problems[0]).toBe('sonde.logs.s32: a container has at most 32 paths');
  expect(problems[16]).toBe('and 52 more problems');
  const long = dockerRules({ 'sonde.logs.a': 'x'.repeat(100_000) }, {}).rules.problems[0]!;
  expect(long.length).toBeLessThan(300);
});

test.each([
  ['0', 0],
  ['1048576', 1_048_576],
  ['500KB/s', 500_000],
  ['500kb', 500_000],
  ['1 MiB/s', 1_048_576],
  ['2Gi', 2_147_483_648],
  ['1.5k', 1500],
  ['100B', 100],
  ['', undefined],
  ['-1', undefined],
  ['1e6', undefined],
  ['1TB', undefined],
  ['MiB', undefined],
  ['0.1', undefined],
  ['1MiB/min', undefined],
  ['9007199254740993', undefined],
])('a rate %j is %j bytes a second', (text, bytes) => expect(parseByteRate(text)).toBe(bytes));
