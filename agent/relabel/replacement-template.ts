/**
 * `replacement` and `target_label` with references to the groups of a match, as Go's Regexp.Expand reads them.
 *
 *   compileTemplate('${1}-$2x$$', regex)(['a-b', 'a', 'b'])  ->  'a-$'   (`$2x` is the group named "2x": there is none)
 */
import type { RelabelRegex } from './relabel-regex.ts';

export interface ReplacementTemplate {
  /** True where nothing depends on the match. */
  readonly isConstant: boolean;
  expand(captures: readonly string[]): string;
}

/** A reference after the `$`: a name in braces, or the longest run of letters, digits and underscores. */
const reference = /^(?:\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/u;
/** As in Go: larger numbers and numbers with leading zeros are names. */
const groupNumber = /^(?:0|[1-9]\d{0,8})$/;

/** Never throws: a `$` that refers to nothing is a dollar sign. */
export function compileTemplate(template: string, regex: RelabelRegex): ReplacementTemplate {
  const parts: (string | number)[] = [];
  let rest = template;
  for (;;) {
    const dollar = rest.indexOf('$');
    if (dollar === -1) break;
    parts.push(rest.slice(0, dollar));
    rest = rest.slice(dollar + 1);
    if (rest.startsWith('$')) {
      parts.push('$');
      rest = rest.slice(1);
      continue;
    }
    const match = reference.exec(rest);
    if (match === null) {
      parts.push('$');
      continue;
    }
    rest = rest.slice(match[0].length);
    const name = (match[1] ?? match[2])!;
    const group = groupNumber.test(name) ? Number(name) : regex.groupOf(name);
    if (group !== undefined) parts.push(group);
  }
  parts.push(rest);
  const [only = ''] = parts;
  if (parts.length === 1 && typeof only === 'string') return { isConstant: true, expand: () => only };
  return {
    // Fixed by the text alone, as Prometheus asks only whether there is a `$`.
    isConstant: !template.includes('$'),
    expand(captures) {
      let text = '';
      for (const part of parts) text += typeof part === 'string' ? part : (captures[part] ?? '');
      return text;
    },
  };
}
