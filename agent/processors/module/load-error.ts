/**
 * What a person needs of an error that a module threw: the file, the line, the fact.
 *
 *   '/etc/sonde/mask.ts:12: options.team: expected string'
 */
import { pathToFileURL } from 'node:url';
import { errorMessage } from '#model/errors.ts';

const reasonCharsMax = 500;

interface ZodLike {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}

export function describeLoadError(error: unknown, path: string): string {
  if (isZodLike(error)) {
    const issues = error.issues.map(
      ({ path: keys, message }) => `${['options', ...keys].join('.')}: ${message}`,
    );
    return `${path}: ${issues.join('; ')}`.slice(0, reasonCharsMax);
  }
  const line = lineOf(error, path);
  const fact = errorMessage(error).trim().split('\n')[0]!.slice(0, reasonCharsMax);
  return `${path}${line === undefined ? '' : `:${line}`}: ${fact}`;
}

/** The first line of the module that the stack names: V8 puts it on top for syntax errors, and in frames for others. */
function lineOf(error: unknown, path: string): string | undefined {
  const stack = error instanceof Error ? `${error.stack ?? ''}\n${error.message}` : '';
  for (const name of [pathToFileURL(path).href, path]) {
    const at = stack.indexOf(`${name}:`);
    if (at !== -1) return /^\d+/.exec(stack.slice(at + name.length + 1))?.[0];
  }
  return undefined;
}

function isZodLike(error: unknown): error is ZodLike {
  return error instanceof Error && Array.isArray((error as unknown as ZodLike).issues);
}
