/**
 * Rules in the annotations of a pod: for all of its containers, or for the one whose name follows the key.
 *
 *   sonde.io/logs: "false"                    no container's standard streams are collected
 *   sonde.io/logs.web: "true"                 but those of `web` are
 *   sonde.io/store.web: access                under this name
 *   sonde.io/files.web: access=/var/log/nginx/*.log, errors=/var/log/nginx/error.log
 *   sonde.io/multiline, sonde.io/parse, sonde.io/rate-limit, sonde.io/tags
 */
import type { RuleDraft } from './rule-draft.ts';

export const annotationPrefix = 'sonde.io/';

type Apply = (draft: RuleDraft, source: string, value: string) => void;

const rules: Readonly<Record<string, Apply>> = {
  logs: (draft, source, value) => draft.collect(source, value),
  store: (draft, source, value) => draft.store(source, value),
  files: applyFiles,
  multiline: (draft, source, value) => draft.multiline(source, value),
  parse: (draft, source, value) => draft.parse(source, value),
  'rate-limit': (draft, source, value) => draft.rateLimit(source, value),
  tags: (draft, source, value) => draft.tags(source, value),
};

/** `containers` are the names of all containers of the pod: an annotation for another one is a problem of the first. */
export function applyPodAnnotations(
  draft: RuleDraft,
  annotations: Readonly<Record<string, string>>,
  container: string,
  containers: readonly string[],
): void {
  for (const [rule, apply] of Object.entries(rules)) {
    const exact = `${annotationPrefix}${rule}.${container}`;
    const source = Object.hasOwn(annotations, exact) ? exact : annotationPrefix + rule;
    if (Object.hasOwn(annotations, source)) apply(draft, source, annotations[source]!);
  }
  if (container !== containers[0]) return;
  for (const key of Object.keys(annotations)) {
    if (!key.startsWith(annotationPrefix)) continue;
    const [rule, ...rest] = key.slice(annotationPrefix.length).split('.');
    if (!Object.hasOwn(rules, rule!)) {
      draft.problem(key, `there is no such annotation: there are ${Object.keys(rules).join(', ')}`);
    } else if (rest.length > 0 && !containers.includes(rest.join('.'))) {
      draft.problem(key, `the pod has no container of this name: it has ${containers.join(', ')}`);
    }
  }
}

function applyFiles(draft: RuleDraft, source: string, value: string): void {
  for (const item of value.split(',').map((part) => part.trim())) {
    const equals = item.indexOf('=');
    if (equals > 0) draft.file(source, item.slice(0, equals), item.slice(equals + 1));
    else if (item !== '') draft.problem(source, `${JSON.stringify(item)} is not <store>=<path>`);
  }
}
