/**
 * What is checked on the text of a query before an engine sees it, the same for every engine.
 * Values are bound: {name:Type} in the text, the value in `params`.
 */
import type { QueryOptions, QueryParams } from './store.ts';
import { StoreError } from './store.ts';

/** A megabyte holds the largest query that we write; ClickHouse's own parser stops at 256 KiB by default. */
export const queryTextLengthMax = 250_000;
/** An IN list of 64 k numbers: beyond that a query must join. */
export const paramLengthMax = 4_000_000;

const placeholder = /\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*:/g;

/**
 * Throws StoreError where `sql` names a placeholder that `params` lacks: an embedded session remembers the values
 * of the query before, and must never lend them to this one.
 */
export function checkQueryText(sql: string, options: QueryOptions): void {
  if (sql.length > queryTextLengthMax) {
    throw refused(`the query text has ${sql.length} characters, more than ${queryTextLengthMax}`);
  }
  for (const match of sql.matchAll(placeholder)) {
    const name = match[1] ?? '';
    if (options.params === undefined || !Object.hasOwn(options.params, name)) {
      throw refused(`the query has no value for its placeholder {${name}}`);
    }
  }
  for (const name of Object.keys(options.params ?? {})) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw refused(`"${name}" is not a parameter name`);
  }
  for (const name of Object.keys(options.settings ?? {})) {
    if (!/^[a-z_][a-z0-9_]*$/.test(name)) throw refused(`"${name}" is not a setting name`);
  }
}

const tsvEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\0': '\\0',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** Renders every value: see renderParam. */
export function renderParams(params: QueryParams = {}): Record<string, string> {
  return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, renderParam(name, value)]));
}

/**
 * Renders a value as ClickHouse reads parameters: TSV text, and inside an array quoted text.
 * Throws StoreError on a value that has no such text.
 */
function renderParam(name: string, value: QueryParams[string]): string {
  const text = Array.isArray(value)
    ? `[${value.map((item) => (typeof item === 'number' ? renderNumber(name, item) : quote(item))).join(',')}]`
    : renderScalar(name, value as string | number | boolean | null);
  if (text.length > paramLengthMax) {
    throw refused(`the value of {${name}} has ${text.length} characters, more than ${paramLengthMax}`);
  }
  return text;
}

/** Renders a string as a ClickHouse literal, quotes included. */
function quote(value: string): string {
  return `'${escapeTsv(value).replaceAll("'", "\\'")}'`;
}

function renderScalar(name: string, value: string | number | boolean | null): string {
  if (value === null) return '\\N';
  if (typeof value === 'string') return escapeTsv(value);
  return typeof value === 'number' ? renderNumber(name, value) : String(value);
}

function renderNumber(name: string, value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw refused(`the value of {${name}} is not a safe integer: pass it as text`);
  }
  return String(value);
}

function escapeTsv(value: string): string {
  return value.replace(/[\\\0\b\f\n\r\t]/g, (character) => tsvEscapes[character] ?? character);
}

function refused(fact: string): StoreError {
  return new StoreError(fact, { retryable: false });
}
