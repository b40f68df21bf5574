/**
 * Goal: docs/agent/containers.md says what the code does.
 * Method: its tables of attributes against the attributes of whole pods and containers; its examples are used.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ClusterRole } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRole';
import { ClusterRoleBinding } from 'kubernetes-models/rbac.authorization.k8s.io/v1/ClusterRoleBinding';
import { expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { dockerRules, podRules } from '#agent/containers/container-rules.ts';
import { containersOptions } from '#agent/containers/containers-options.ts';
import { dockerFacts } from '#agent/docker/docker-attributes.ts';
import { readDockerContainer } from '#agent/docker/docker-record.ts';
import { missingRule } from '#agent/kubernetes/list-watch.ts';
import { PodCache } from '#agent/kubernetes/pod-cache.ts';
import { readPod } from '#agent/kubernetes/pod-record.ts';
import { inspectedContainer } from '../../support/docker-engine.ts';
import { hexId, type PodParts, podObject } from '../../support/kube-objects.ts';

const text = readFileSync(join(import.meta.dirname, '../../../docs/agent/containers.md'), 'utf8');
const [, kubernetes, docker, rules] = text.split(/^## /m) as [string, string, string, string];
const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1]!);

/** Of the table with attributes: what stands in the first column. */
function documented(section: string): string[] {
  const rows = section.split('\n').filter((line) => /^\| `/.test(line));
  return rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!));
}

const generic = (name: string) => name.replace(/\.(label|annotation)\..*/, '.$1.<name>');

test('the attributes of pods are in the table, and no others', () => {
  const cache = new PodCache({
    choice: { podLabel: () => true, podAnnotation: () => true, isServiceFromLabels: true },
    keepDeletedMs: 1,
    rootOf: () => undefined,
    surroundings: () => ({ 'k8s.node.label.a': '1', 'k8s.namespace.label.b': '2' }),
    now: () => 0,
  });
  const owners = ['StatefulSet', 'DaemonSet', 'Job', 'ReplicationController'].map((kind) => ({
    kind,
    name: 'x-29384710',
    uid: 'u',
  }));
  const parts: Partial<PodParts>[] = [
    { annotations: { 'sonde.io/store': 's' } },
    ...owners.map((owner) => ({ owner })),
  ];
  const produced = new Set<string>();
  for (const [index, part] of parts.entries()) {
    const pod = readPod(podObject({ name: `p-${index}`, uid: `u-${index}`, ...part }), () => true);
    for (const { attributes } of cache.upsert(pod))
      for (const name of Object.keys(attributes)) produced.add(generic(name));
  }
  expect([...produced].sort()).toEqual(documented(kubernetes).sort());
});

test('the attributes of containers are in the table, and no others', () => {
  const labels = {
    'com.docker.compose.project': 'p',
    'com.docker.compose.service': 's',
    'sonde.logs.web': 'stdout',
  };
  const record = readDockerContainer(inspectedContainer({ id: hexId('aa'), name: 'a', labels }));
  const produced = new Set(Object.keys(dockerFacts(record, 'docker', () => true).attributes).map(generic));
  expect([...produced].sort()).toEqual(documented(docker).sort());
});

test('the ClusterRole is valid and has the rules that the agent asks for', () => {
  const [role, binding] = parseAllDocuments(examples[0]!).map((document) => document.toJS());
  new ClusterRole(role).validate();
  new ClusterRoleBinding(binding).validate();
  expect(role.rules).toEqual(['pods', 'namespaces', 'nodes'].map((resource) => parse(missingRule(resource))));
});

test('the examples of rules are understood', () => {
  const { annotations } = parse(examples[1]!).metadata;
  expect(podRules(annotations, {}, 'web', ['web', 'proxy']).rules).toMatchObject({
    isCollected: true,
    files: [{ store: 'access', path: '/var/log/nginx/*.log' }],
    rateLimitBytes: 1_048_576,
    problems: [],
  });
  expect(podRules(annotations, {}, 'proxy', ['web', 'proxy']).rules).toMatchObject({
    isCollected: false,
    files: [],
  });
  expect(dockerRules(parse(examples[2]!).services.web.labels, {}).rules).toMatchObject({
    store: 'web',
    files: [{ store: 'access' }],
    multiline: 'off',
    problems: [],
  });
});

test('every label, annotation and variable of the tables is known to the code', () => {
  const values: Record<string, string> = {
    tags: 'a=1',
    multiline: 'off',
    'rate-limit': '1KB',
    parse: 'json',
    logs: 'true',
    store: 's',
    files: 's=/a',
  };
  const names = [...rules.matchAll(/^\|.*$/gm)].flatMap(([row]) =>
    [
      ...row
        .split('|')
        .slice(1, 3)
        .join('|')
        .matchAll(/`([^`]+)`/g),
    ].map((match) => match[1]!),
  );
  const own = names.filter((name) => name.startsWith('sonde.'));
  expect(own.length).toBeGreaterThan(10);
  for (const name of own) {
    const value = values[name.split(/[./]/).at(-1)!] ?? 'stdout';
    const written = { [name.replace('<store>', 's')]: value };
    const drafted = name.includes('/') ? podRules(written, {}, 'c', ['c']) : dockerRules(written, {});
    expect(drafted.rules.problems, name).toEqual([]);
  }
});

test('every option that the text names is there', () => {
  const named = new Set(
    [...text.matchAll(/`agent\.((?:kubernetes|docker|containers)\.[a-z_]+)/g)].map((match) => match[1]!),
  );
  expect([...named].filter((name) => !Object.hasOwn(containersOptions, name))).toEqual([]);
  expect(named.size).toBeGreaterThan(8);
});
