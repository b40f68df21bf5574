/**
 * Which resources a processor applies to: matchers on resource attributes, all of which must hold. They are asked once
 * per resource, not per record.
 *
 *   when: { k8s.namespace.name: [shop, "team-*"], container.name: "/^web-\\d+$/" }
 *
 * A text is a glob (`*` any characters, `?` one) that must fit the whole value; `/.../` is a regular expression (RE2) that
 * must be found in it. `!` in front turns a matcher round. An attribute that is missing is the empty text. Of a list, one
 * matcher that is not turned round must hold, and all that are.
 */
import { RE2JS } from 're2js';
import { z } from 'zod';
import type { LogResource } from '../logs/resource/path-resource.ts';
import { patternCharsMax } from './byte-pattern.ts';

const matcherSchema = z
  .string()
  .min(1)
  .max(patternCharsMax)
  .superRefine((text, context) => {
    try {
      compileMatcher(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: `not an RE2 expression: ${(error as Error).message}` });
    }
  });

export const whenSchema = z.record(
  z.string().min(1),
  z.union([matcherSchema, z.array(matcherSchema).min(1).max(1000)]),
);
export type When = z.infer<typeof whenSchema>;

/** Returns the function that says whether a resource is meant. */
export function compileWhen(when: When | undefined): (resource: LogResource) => boolean {
  const conditions = Object.entries(when ?? {}).map(([name, texts]) => {
    const matchers = [texts].flat().map(compileMatcher);
    return {
      name,
      wanted: matchers.filter(({ isTurned }) => !isTurned),
      unwanted: matchers.filter(({ isTurned }) => isTurned),
    };
  });
  return (resource) =>
    conditions.every(({ name, wanted, unwanted }) => {
      const value = String(resource[name] ?? '');
      const isWanted = wanted.length === 0 || wanted.some(({ fits }) => fits(value));
      return isWanted && unwanted.every(({ fits }) => !fits(value));
    });
}

interface Matcher {
  readonly isTurned: boolean;
  readonly fits: (value: string) => boolean;
}

function compileMatcher(text: string): Matcher {
  const isTurned = text.startsWith('!');
  const rest = isTurned ? text.slice(1) : text;
  const expression = /^\/(.*)\/$/s.exec(rest)?.[1];
  if (expression !== undefined) {
    const regex = RE2JS.compile(expression);
    return { isTurned, fits: (value) => regex.test(value) };
  }
  const glob = rest.split(/([*?])/).map((part) => {
    if (part === '*') return '.*';
    return part === '?' ? '.' : RE2JS.quote(part);
  });
  const regex = RE2JS.compile(`^${glob.join('')}$`, RE2JS.DOTALL);
  return { isTurned, fits: (value) => regex.test(value) };
}
