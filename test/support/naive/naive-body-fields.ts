/**
 * Fields of log bodies, the obvious way: with strings, regular expressions and JSON.parse. What body-fields.ts must
 * equal, for texts that are JSON or logfmt as far as they go.
 */
import type { PromotedField } from '#collector/transcode/promoted-fields.ts';

interface Found {
  readonly path: string;
  readonly value: string;
}

/** Attributes that a body adds to those that its record has, in the order of the body. */
export function naiveBodyFields(
  body: string,
  fields: readonly PromotedField[],
  attributes: readonly (readonly [string, string])[] = [],
): [string, string][] {
  const text = body.replace(/^[\0-\x20]+/, '');
  const added: [string, string][] = [];
  const done = new Set<PromotedField>();
  for (const { path, value } of text.startsWith('{') ? jsonFields(text, fields) : logfmtFields(text)) {
    for (const field of fields) {
      if (field.field !== path || done.has(field)) continue;
      done.add(field);
      const isThere = [...attributes, ...added].some(([name]) => name === field.attribute);
      if (!isThere) added.push([field.attribute, value]);
    }
    if (done.size === fields.length) break;
  }
  return added;
}

const space = /[\0-\x20]*/y;

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

function skipSpace(text: string, at: number): number {
  return at + match(space, text, at)!.length;
}

function* jsonFields(text: string, fields: readonly PromotedField[]): Generator<Found> {
  yield* membersOf(text, 0, '', fields);
}

/** The members of the object that begins at `start`; returns the position after it, or -1 where the text breaks off. */
function* membersOf(
  text: string,
  start: number,
  prefix: string,
  fields: readonly PromotedField[],
): Generator<Found, number> {
  let at = skipSpace(text, start + 1);
  while (text[at] === '"') {
    const name = valueAt(text, at);
    if (name === undefined) return -1;
    at = skipSpace(text, at + name.length);
    if (text[at] !== ':') return -1;
    at = skipSpace(text, at + 1);
    const path = `${prefix}${JSON.parse(name)}`;
    const value = valueAt(text, at);
    const isBegun = fields.some(({ field }) => field.startsWith(`${path}.`));
    if (value !== undefined && value !== 'null') {
      const parsed: unknown = JSON.parse(value);
      yield { path, value: typeof parsed === 'string' ? parsed.toWellFormed() : value };
    }
    let after = value === undefined ? -1 : at + value.length;
    if (text[at] === '{' && isBegun) after = yield* membersOf(text, at, `${path}.`, fields);
    if (after < 0) return -1;
    at = skipSpace(text, after);
    if (text[at] !== ',') break;
    at = skipSpace(text, at + 1);
  }
  return text[at] === '}' ? at + 1 : -1;
}

/** The shortest text from `at` on that is JSON by itself and that nothing continues. */
function valueAt(text: string, at: number): string | undefined {
  for (let end = at + 1; end <= text.length; end++) {
    const value = text.slice(at, end);
    try {
      JSON.parse(value);
    } catch {
      continue;
    }
    if (/["\]}]$/.test(value) || /[\0-\x20,\]}]/.test(text[end] ?? '')) return value;
  }
  return undefined;
}

function* logfmtFields(text: string): Generator<Found> {
  let at = 0;
  for (;;) {
    at = skipSpace(text, at);
    const name = match(/[^\0-\x20="]+=/y, text, at);
    if (name === undefined) {
      if (at === 0) return;
      const passed = match(/"(?:[^"\\]|\\[\s\S])*"/y, text, at) ?? match(/[^\0-\x20"][^\0-\x20]*/y, text, at);
      if (passed === undefined) return;
      at += passed.length;
      continue;
    }
    at += name.length;
    const path = name.slice(0, -1);
    if (text[at] !== '"') {
      const value = match(/[^\0-\x20]*/y, text, at)!;
      yield { path, value };
      at += value.length;
      continue;
    }
    const quoted = match(/"(?:[^"\\]|\\[\s\S])*"/y, text, at);
    if (quoted === undefined) return;
    yield { path, value: (JSON.parse(quoted) as string).toWellFormed() };
    at += quoted.length;
    at += match(/[^\0-\x20]*/y, text, at)!.length;
  }
}
