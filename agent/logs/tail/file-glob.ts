/**
 * Finds the files that match a glob, and says which directories could not be read on the way.
 *
 *   /var/log/app-?.{log,out}  ->  /var/log/app-1.log, /var/log/app-2.out
 *
 * `*` and `?` stand for characters within a name, `[ab]` for one of several, `{a,b}` for alternatives, `**` for any
 * directories. Names that start with a dot match only where the pattern writes the dot.
 */
import { join, resolve } from 'node:path';
import { RE2JS } from 're2js';
import { ConfigError, errorMessage } from '#model/errors.ts';
import type { DirectoryListings, ListedEntry } from './directory-listings.ts';

/** Directories below a `**`: deeper trees are no log directories. */
const depthMax = 16;

/** A glob that names more files than this is a mistake: the rest is left out and said so. */
export const globFilesMax = 10_000;

export interface GlobProblem {
  readonly path: string;
  readonly message: string;
}

export interface FoundPath {
  readonly path: string;
  readonly directory: string;
  readonly entry: ListedEntry;
}

export interface GlobResult {
  /** Sorted by path. */
  readonly found: readonly FoundPath[];
  readonly problems: readonly GlobProblem[];
}

export interface NamePattern {
  test(name: string): boolean;
}

/** A glob, ready to be looked for. */
export interface FileGlob {
  readonly pattern: string;
  /** The directory to start in: the names before the first wildcard. */
  readonly root: string;
  /** One per name below the root; 'any' is `**`. */
  readonly names: readonly (NamePattern | 'any')[];
}

/** Compiles a glob; relative ones start in the working directory. Throws ConfigError where it cannot be one. */
export function compileGlob(pattern: string): FileGlob {
  if (pattern === '' || pattern.endsWith('/')) {
    throw new ConfigError(
      `log glob "${pattern}" names no file: end it with a file name, such as /var/log/*.log`,
    );
  }
  const parts = resolve(pattern).split('/').slice(1);
  const firstWild = parts.findIndex((part) => /[*?[{]/.test(part));
  // A path without wildcards is looked up in its directory like any other.
  const fixed = firstWild === -1 ? parts.length - 1 : firstWild;
  return {
    pattern,
    root: '/' + parts.slice(0, fixed).join('/'),
    names: parts
      .slice(fixed)
      // A second ** in a row adds nothing but ways to come to the same directory.
      .filter((part, index, names) => part !== '**' || names[index - 1] !== '**')
      .map((part) => (part === '**' ? 'any' : namePattern(part, pattern))),
  };
}

/** What rotation leaves when it compresses: the lines in it were read before, and its bytes are no lines. */
export const compressedName = /\.(gz|zst|bz2|xz|lz4|zip)$/;

/** Returns the matching paths without compressed files, and the directories that could not be read. Follows symbolic links. */
export async function expandGlob(glob: FileGlob, listings: DirectoryListings): Promise<GlobResult> {
  const walk: Walk = { listings, found: new Map(), problems: [], walked: new Set() };
  await walkNames(walk, glob.root, glob.names, 0);
  if (walk.found.size > globFilesMax) {
    const message = `matches more than ${globFilesMax} files, the rest is not read: use narrower globs`;
    walk.problems.push({ path: glob.pattern, message });
  }
  const found = [...walk.found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return { found, problems: walk.problems };
}

interface Walk {
  readonly listings: DirectoryListings;
  /** By path. */
  readonly found: Map<string, FoundPath>;
  readonly problems: GlobProblem[];
  /** Directories with the count of names that were left to match: several ** come to the same one in many ways. */
  readonly walked: Set<string>;
}

async function walkNames(
  walk: Walk,
  directory: string,
  names: readonly (NamePattern | 'any')[],
  depth: number,
): Promise<void> {
  const [name, ...rest] = names;
  if (name === undefined || depth > depthMax) return;
  const step = `${names.length} ${directory}`;
  if (walk.walked.has(step)) return;
  walk.walked.add(step);
  if (name === 'any') await walkNames(walk, directory, rest, depth);
  for (const entry of await readDirectory(walk, directory)) {
    if (walk.found.size > globFilesMax) return;
    const path = join(directory, entry.name);
    if (name === 'any') {
      // Links are not followed here: they can lead in circles.
      if (entry.isDirectory && !entry.name.startsWith('.')) await walkNames(walk, path, names, depth + 1);
    } else if (name.test(entry.name)) {
      if (rest.length > 0) await walkNames(walk, path, rest, depth);
      else if (!entry.isDirectory && !compressedName.test(entry.name))
        walk.found.set(path, { path, directory, entry });
    }
  }
}

async function readDirectory(walk: Walk, directory: string): Promise<readonly ListedEntry[]> {
  try {
    return await walk.listings.list(directory);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    // Absent is usual: a node without docker has no docker directory. A file in a directory's place matches nothing.
    if (code !== 'ENOENT' && code !== 'ENOTDIR') {
      walk.problems.push({
        path: directory,
        message: describeAccessError('cannot list the directory', error),
      });
    }
    return [];
  }
}

/** Says what failed and what a person can do about it. */
export function describeAccessError(fact: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'EACCES' || code === 'EPERM') {
    return `${fact}: permission denied; run the agent as root, or let its user read this path (group or ACL)`;
  }
  if (code === 'EMFILE' || code === 'ENFILE') {
    return `${fact}: too many open files; raise the open files limit (ulimit -n) of the agent`;
  }
  return `${fact}: ${errorMessage(error)}`;
}

/** So many stars and braces are tried out by backtracking, which is faster; more of them would take years. */
const backtrackedMax = 2;

function namePattern(name: string, pattern: string): NamePattern {
  if (name.includes('**')) {
    throw new ConfigError(`log glob "${pattern}": ** must stand alone between slashes`);
  }
  let source = '';
  let braces = 0;
  for (let index = 0; index < name.length; index++) {
    const letter = name[index];
    if (letter === '*') source += '[^/]*';
    else if (letter === '?') source += '[^/]';
    else if (letter === '[') {
      const end = name.indexOf(']', index + 2);
      if (end === -1) throw new ConfigError(`log glob "${pattern}": "[" is not closed by "]"`);
      source +=
        '[' +
        name
          .slice(index + 1, end)
          .replace(/^!/, '^')
          .replace(/[\\[\]]/g, '\\$&') +
        ']';
      index = end;
    } else if (letter === '{') {
      braces++;
      source += '(?:';
    } else if (letter === '}' && braces > 0) {
      braces--;
      source += ')';
    } else if (letter === ',' && braces > 0) source += '|';
    else source += letter.replace(/[\\^$.|+()[\]{}*?]/g, '\\$&');
  }
  if (braces > 0) throw new ConfigError(`log glob "${pattern}": "{" is not closed by "}"`);
  return compileName(source, name, pattern);
}

function compileName(source: string, name: string, pattern: string): NamePattern {
  const isDotWritten = name.startsWith('.');
  try {
    if ((name.match(/[*{]/g)?.length ?? 0) <= backtrackedMax)
      return new RegExp(`^${isDotWritten ? '' : '(?!\\.)'}${source}$`, 'u');
    const linear = RE2JS.compile(source);
    return { test: (found) => (isDotWritten || !found.startsWith('.')) && linear.matches(found) };
  } catch (error) {
    throw new ConfigError(`log glob "${pattern}": "${name}" is no pattern of names: ${errorMessage(error)}`, {
      cause: error,
    });
  }
}
