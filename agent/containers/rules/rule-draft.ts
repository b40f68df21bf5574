/**
 * Gathers the rules of one container from wherever they are written, and says what of them cannot be understood.
 *
 *   draft.file('sonde.logs.access', 'access', '/var/log/nginx/*.log')  ->  rules.files [{ store: 'access', path: ... }]
 *
 * What is said first holds: a caller asks the more exact source first. A different value that comes later is a problem.
 */
import { RE2JS } from 're2js';
import { errorMessage } from '#model/errors.ts';
import type { LogRules } from '../container-facts.ts';
import { parseByteRate } from './byte-rate.ts';

export interface DraftedRules {
  readonly rules: LogRules;
  /** Attributes that a person has put on the container's logs. */
  readonly tags: Readonly<Record<string, string>>;
}

const filesMax = 32;
const tagsMax = 32;
/** A container with more mistakes has the first of them listed. */
const problemsMax = 16;
/** Of Linux: PATH_MAX. */
const pathCharactersMax = 4096;
const patternCharactersMax = 1000;
/** Of what a person wrote, in a problem. */
const quotedCharactersMax = 80;

const storePattern = /^[A-Za-z0-9_.-]{1,128}$/;
const parserPattern = /^[a-z][a-z0-9_-]{0,63}$/;
const tagPattern = /^[A-Za-z_][A-Za-z0-9_.\-/]{0,127}$/;
const tagCharactersMax = 1024;

type Single = 'isCollected' | 'store' | 'multiline' | 'parse' | 'rateLimitBytes';

export class RuleDraft {
  readonly #said = new Map<Single, { readonly value: string | number | boolean; readonly source: string }>();
  readonly #files: { readonly store: string; readonly path: string }[] = [];
  readonly #tags = new Map<string, string>();
  readonly #problems: string[] = [];
  #problemsLeftOut = 0;

  /** `source` is the label, annotation or variable as a person wrote it: it begins each problem. */
  problem(source: string, what: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push(`${source}: ${what}`);
    else this.#problemsLeftOut += 1;
  }

  collect(source: string, text: string): void {
    const isCollected = ({ true: true, false: false } as Record<string, boolean>)[text.trim().toLowerCase()];
    if (isCollected === undefined) this.problem(source, `${quote(text)} is neither "true" nor "false"`);
    else this.#say('isCollected', isCollected, source);
  }

  /** The name that the standard streams are stored under. */
  store(source: string, name: string): void {
    if (this.#isStore(source, name)) this.#say('store', name, source);
  }

  /** A file, or a glob of files, inside of the container. */
  file(source: string, store: string, path: string): void {
    if (!this.#isStore(source, store)) return;
    if (
      !path.startsWith('/') ||
      path.endsWith('/') ||
      path.length > pathCharactersMax ||
      path.includes('\0')
    ) {
      this.problem(
        source,
        `${quote(path)} is neither "stdout" nor the absolute path of a file such as /var/log/app/*.log`,
      );
    } else if (path.split('/').includes('..')) {
      this.problem(source, `${quote(path)} has "..": write the path without it`);
    } else if (this.#files.some((file) => file.store === store && file.path === path)) {
      return;
    } else if (this.#files.length === filesMax) {
      this.problem(source, `a container has at most ${filesMax} paths`);
    } else {
      this.#files.push({ store, path });
    }
  }

  multiline(source: string, text: string): void {
    if (text === 'auto' || text === 'off') {
      this.#say('multiline', text, source);
    } else if (text === '' || text.length > patternCharactersMax) {
      this.problem(
        source,
        `expected auto, off, or a regular expression of at most ${patternCharactersMax} characters`,
      );
    } else {
      try {
        RE2JS.compile(text);
        this.#say('multiline', text, source);
      } catch (error) {
        this.problem(source, `${quote(text)} is no regular expression (RE2): ${errorMessage(error)}`);
      }
    }
  }

  parse(source: string, parser: string): void {
    if (parserPattern.test(parser)) this.#say('parse', parser, source);
    else this.problem(source, `${quote(parser)} is no parser's name such as json`);
  }

  rateLimit(source: string, text: string): void {
    const bytes = parseByteRate(text);
    if (bytes === undefined) this.problem(source, `${quote(text)} is no rate such as 500KB/s or 1MiB/s`);
    else this.#say('rateLimitBytes', bytes, source);
  }

  /** `a=1,b=2`: attributes of all of the container's logs. */
  tags(source: string, text: string): void {
    for (const pair of text.split(',').map((part) => part.trim())) {
      if (pair === '') continue;
      const equals = pair.indexOf('=');
      const name = pair.slice(0, Math.max(0, equals)).trim();
      const value = pair.slice(equals + 1).trim();
      if (!tagPattern.test(name) || value.length > tagCharactersMax) {
        this.problem(source, `${quote(pair)} is no tag such as team=shop`);
      } else if ((this.#tags.get(name) ?? value) !== value) {
        this.problem(
          source,
          `the tag ${name} is ${quote(this.#tags.get(name)!)} already: all logs of a container share their tags`,
        );
      } else if (this.#tags.size === tagsMax && !this.#tags.has(name)) {
        this.problem(source, `a container has at most ${tagsMax} tags`);
      } else {
        this.#tags.set(name, value);
      }
    }
  }

  build(): DraftedRules {
    const leftOut = this.#problemsLeftOut === 0 ? [] : [`and ${this.#problemsLeftOut} more problems`];
    const said = <Value>(name: Single, otherwise: Value): Value =>
      (this.#said.get(name)?.value as Value | undefined) ?? otherwise;
    return {
      rules: {
        isCollected: said('isCollected', true),
        store: said('store', ''),
        files: this.#files,
        multiline: said('multiline', 'auto'),
        parse: said('parse', ''),
        rateLimitBytes: said('rateLimitBytes', 0),
        problems: [...this.#problems, ...leftOut],
      },
      tags: Object.fromEntries(this.#tags),
    };
  }

  #isStore(source: string, name: string): boolean {
    if (storePattern.test(name)) return true;
    this.problem(
      source,
      `${quote(name)} is no store's name: use letters, digits, ".", "_" and "-", at most 128`,
    );
    return false;
  }

  #say(name: Single, value: string | number | boolean, source: string): void {
    const before = this.#said.get(name);
    if (before === undefined) this.#said.set(name, { value, source });
    else if (before.value !== value) {
      this.problem(source, `${before.source} says ${quote(String(before.value))} already, which holds`);
    }
  }
}

function quote(text: string): string {
  return JSON.stringify(
    text.length > quotedCharactersMax ? `${text.slice(0, quotedCharactersMax)}...` : text,
  );
}
