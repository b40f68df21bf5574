/** The shape of a rule group's YAML, before its texts are read. Scalars are text: YAML's own typing would lose zeros. */
import { z } from 'zod';

/** Mimir's ruler has 20 as its default; a group runs its rules one after the other within its interval. */
const rulesPerGroupMax = 500;
const groupNameCharsMax = 256;

// "labels:" with nothing after it is empty text here, and means no labels.
const textMap = z.preprocess((value) => (value === '' ? {} : value), z.record(z.string(), z.string()));

const ruleShape = z.strictObject({
  alert: z.string().optional(),
  record: z.string().optional(),
  expr: z.string(),
  for: z.string().optional(),
  keep_firing_for: z.string().optional(),
  labels: textMap.optional(),
  annotations: textMap.optional(),
});

export const ruleGroupShape = z.strictObject({
  name: z.string().min(1).max(groupNameCharsMax),
  interval: z.string().optional(),
  query_offset: z.string().optional(),
  limit: z.string().optional(),
  labels: textMap.optional(),
  rules: z.array(ruleShape).min(1).max(rulesPerGroupMax),
});

export type RuleShape = z.infer<typeof ruleShape>;
export type RuleGroupShape = z.infer<typeof ruleGroupShape>;

/** One sentence for what does not fit the shape. */
export function shapeMistake(issue: z.core.$ZodIssue): string {
  const key = issue.path.findLast((step) => typeof step === 'string');
  const at = key === undefined ? '' : `${key}: `;
  if (issue.code === 'unrecognized_keys') {
    return `unknown key ${issue.keys.map((name) => JSON.stringify(name)).join(', ')}`;
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return `${at}is required`;
  return `${at}${issue.message.replace(/^Invalid input: /, '')}`;
}
