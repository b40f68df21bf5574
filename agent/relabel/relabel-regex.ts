/**
 * The regular expressions of relabeling: RE2's syntax, anchored at both ends, a dot matches newlines too.
 *
 *   compileRegex('(.+):\\d+').captures('a:80')  ->  ['a:80', 'a']
 *
 * Most rules have a literal, a choice of literals, or one `.*` between literals: these are compared without a machine.
 */
import { RE2JS } from 're2js';
import { ConfigError, errorMessage } from '#model/errors.ts';

export interface RelabelRegex {
  /** The pattern as it was written. */
  readonly pattern: string;
  matches(text: string): boolean;
  /** The whole and each group ('' for one that took no part), or undefined where the text does not match. */
  captures(text: string): readonly string[] | undefined;
  /** The number of a named group; undefined where there is none. */
  groupOf(name: string): number | undefined;
}

/** Longer patterns are a mistake; also bounds what compiling one can cost. */
const patternCharsMax = 100_000;

/** Throws ConfigError where RE2 would not take the pattern. */
export function compileRegex(pattern: string): RelabelRegex {
  if (pattern.length > patternCharsMax) {
    throw new ConfigError(`the regular expression is longer than ${patternCharsMax} characters`);
  }
  return literalRegex(pattern) ?? wildcardRegex(pattern) ?? choiceRegex(pattern) ?? machineRegex(pattern);
}

const hasNoGroups = (): undefined => undefined;
const literalPattern = /^[^\\.+*?()|[\]{}^$]*(?:\|[^\\.+*?()|[\]{}^$]*)*$/;

/** `a` and `a|b|c`. */
function literalRegex(pattern: string): RelabelRegex | undefined {
  if (!literalPattern.test(pattern)) return undefined;
  const choices = new Set(pattern.split('|'));
  return {
    pattern,
    matches: (text) => choices.has(text),
    captures: (text) => (choices.has(text) ? [text] : undefined),
    groupOf: hasNoGroups,
  };
}

const wildcardPattern = /^([^\\.+*?()|[\]{}^$]*)(\.[*+]|\(\.[*+]\))([^\\.+*?()|[\]{}^$]*)$/;

/** One `.*` or `.+`, in a group or not, between literals: `(.*)`, `kube_.+`, `(.+)_total`. */
function wildcardRegex(pattern: string): RelabelRegex | undefined {
  const parts = wildcardPattern.exec(pattern);
  if (parts === null) return undefined;
  const [, head = '', wildcard = '', tail = ''] = parts;
  const lengthMin = head.length + tail.length + (wildcard.includes('+') ? 1 : 0);
  const isGroup = wildcard.startsWith('(');
  const matches = (text: string): boolean =>
    text.length >= lengthMin && text.startsWith(head) && text.endsWith(tail);
  return {
    pattern,
    matches,
    captures(text) {
      if (!matches(text)) return undefined;
      return isGroup ? [text, text.slice(head.length, text.length - tail.length)] : [text];
    },
    groupOf: hasNoGroups,
  };
}

/** `go_.*|process_.*|up`: a choice of the above, without groups. */
function choiceRegex(pattern: string): RelabelRegex | undefined {
  if (pattern.includes('(')) return undefined;
  const choices: RelabelRegex[] = [];
  for (const part of pattern.split('|')) {
    const choice = literalRegex(part) ?? wildcardRegex(part);
    if (choice === undefined) return undefined;
    choices.push(choice);
  }
  const matches = (text: string): boolean => choices.some((choice) => choice.matches(text));
  return {
    pattern,
    matches,
    captures: (text) => (matches(text) ? [text] : undefined),
    groupOf: hasNoGroups,
  };
}

function machineRegex(pattern: string): RelabelRegex {
  let regex: RE2JS;
  try {
    // The same text as Prometheus compiles, so that unbalanced patterns mean here what they mean there.
    regex = RE2JS.compile(`^(?s:${pattern})$`);
  } catch (error) {
    throw new ConfigError(
      `"${pattern.slice(0, 200)}" is not a regular expression of RE2: ${errorMessage(error)}`,
      {
        cause: error,
      },
    );
  }
  const names = regex.namedGroups();
  const groups = regex.groupCount();
  return {
    pattern,
    matches: (text) => regex.test(text),
    captures(text) {
      const matcher = regex.matcher(text);
      if (!matcher.find()) return undefined;
      return Array.from({ length: groups + 1 }, (_, group) => matcher.group(group) ?? '');
    },
    groupOf: (name) => (Object.hasOwn(names, name) ? names[name] : undefined),
  };
}
