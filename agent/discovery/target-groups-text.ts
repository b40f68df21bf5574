/**
 * The list of target groups that files (file_sd) and servers (http_sd) answer with.
 *
 *   [{ "targets": ["a:80"], "labels": { "zone": "b" } }]
 *     ->  [{ source: 'targets.json:0', targets: [{ __address__: 'a:80' }], labels: { zone: 'b' } }]
 */
import { z } from 'zod';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { TargetGroup } from './target-group.ts';
import { parseYamlText } from './yaml-text.ts';

const groupsSchema = z.array(
  z.strictObject({
    targets: z.array(z.string()).nullish(),
    labels: z.record(z.string().min(1), z.string()).nullish(),
  }),
);

/** `name` begins the sources; `extraLabels` are added to each group. Throws ConfigError that says which group is at fault. */
export function parseTargetGroups(
  text: string,
  format: 'json' | 'yaml',
  name: string,
  extraLabels: Readonly<Record<string, string>>,
): TargetGroup[] {
  const value: unknown = format === 'json' ? parseJson(text) : parseYamlText(text).value;
  const parsed = groupsSchema.safeParse(value ?? []);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    throw new ConfigError(
      `expected [{ targets: [...], labels: {...} }]: ${issue.path.join('.')}: ${issue.message}`,
    );
  }
  return parsed.data.map(({ targets, labels }, index) => ({
    source: `${name}:${index}`,
    targets: (targets ?? []).map((address) => ({ __address__: address })),
    labels: { ...labels, ...extraLabels },
  }));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`no JSON: ${errorMessage(error)}`, { cause: error });
  }
}
