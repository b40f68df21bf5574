/**
 * Turns defaults, a YAML file, environment variables and command-line options into one frozen configuration, in that
 * order of precedence, and remembers where each value came from. All mistakes are reported at once, each with
 * file, line and the nearest valid key.
 */
import { isCollection, isMap, isNode, isScalar, LineCounter, type Node, parse, parseDocument } from 'yaml';
import { ConfigError } from '../errors.ts';
import { nearest } from './nearest.ts';
import { environmentName, type Option, type OptionTable, type OptionValues } from './option.ts';

/** Section name -> options of that section. */
export type ConfigTables = Readonly<Record<string, OptionTable>>;
export type Config<Tables extends ConfigTables> = {
  readonly [Section in keyof Tables]: OptionValues<Tables[Section]>;
};

export interface ConfigInput {
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Full key (`store.path`) -> value, as the command line gave it. */
  readonly commandLine: ReadonlyMap<string, unknown>;
}

export interface LoadedConfig<Tables extends ConfigTables> {
  readonly config: Config<Tables>;
  /** Full key -> `default`, `file:line`, the environment variable, or `command line`. */
  readonly origins: ReadonlyMap<string, string>;
}

/** A configuration file larger than this is a mistake. */
export const configBytesMax = 4 * 1024 * 1024;

interface Draft {
  readonly values: Map<string, unknown>;
  readonly origins: Map<string, string>;
  readonly problems: string[];
  readonly options: ReadonlyMap<string, Option<unknown>>;
}

/** Throws ConfigError that lists every mistake, one a line. */
export function loadConfig<Tables extends ConfigTables>(
  tables: Tables,
  input: ConfigInput,
): LoadedConfig<Tables> {
  const options = new Map<string, Option<unknown>>();
  for (const [section, table] of Object.entries(tables)) {
    for (const [key, value] of Object.entries(table)) options.set(`${section}.${key}`, value);
  }
  const draft: Draft = { values: new Map(), origins: new Map(), problems: [], options };
  for (const [key, { default: value }] of options) {
    draft.values.set(key, value);
    draft.origins.set(key, 'default');
  }
  if (input.file !== undefined) applyFile(draft, input.file.path, input.file.text);
  applyEnvironment(draft, tables, input.environment);
  for (const [key, value] of input.commandLine) applyValue(draft, key, value, 'command line');
  if (draft.problems.length > 0) throw new ConfigError(draft.problems.join('\n'));
  const config: Record<string, Record<string, unknown>> = {};
  for (const [section, table] of Object.entries(tables)) {
    const values: Record<string, unknown> = {};
    for (const key of Object.keys(table)) values[key] = draft.values.get(`${section}.${key}`);
    config[section] = Object.freeze(values);
  }
  return { config: Object.freeze(config) as Config<Tables>, origins: draft.origins };
}

function applyFile(draft: Draft, path: string, text: string): void {
  if (text.length > configBytesMax) {
    draft.problems.push(`${path}: larger than ${configBytesMax} bytes`);
    return;
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true });
  for (const error of document.errors) draft.problems.push(`${path}: ${error.message}`);
  if (document.errors.length > 0 || document.contents === null) return;
  if (!isMap(document.contents)) {
    draft.problems.push(`${path}:1: expected sections such as agent:, store: or api:`);
    return;
  }
  const lineOf = (node: Node | null): number => lines.linePos(node?.range?.[0] ?? 0).line;
  const walk = (map: Node, prefix: string): void => {
    if (!isMap(map)) return;
    for (const pair of map.items) {
      const keyNode = pair.key as Node;
      const key = prefix + String(isScalar(keyNode) ? keyNode.value : keyNode);
      const where = `${path}:${lineOf(keyNode)}`;
      const value = pair.value as Node | null;
      // A mistake inside of a value has a line of its own.
      const locate = (steps: readonly PropertyKey[]): string =>
        steps.length === 0 ? where : `${path}:${lineOf(deepest(value, steps))}`;
      if (draft.options.has(key))
        applyValue(draft, key, value === null ? null : value.toJS(document), where, locate);
      else if (value !== null && isMap(value) && hasChildren(draft, key)) walk(value, `${key}.`);
      else draft.problems.push(`${where}: unknown key "${key}"${suggestion(key, draft.options.keys())}`);
    }
  };
  walk(document.contents, '');
}

/** The node that `steps` lead to, or the last one on the way. */
function deepest(node: Node | null, steps: readonly PropertyKey[]): Node | null {
  let at = node;
  for (const step of steps) {
    const next = isCollection(at) ? at.get(step, true) : undefined;
    if (!isNode(next)) break;
    at = next;
  }
  return at;
}

function hasChildren(draft: Draft, key: string): boolean {
  for (const known of draft.options.keys()) if (known.startsWith(`${key}.`)) return true;
  return false;
}

function applyEnvironment(draft: Draft, tables: ConfigTables, environment: ConfigInput['environment']): void {
  const names = new Map<string, string>();
  for (const [section, table] of Object.entries(tables)) {
    for (const key of Object.keys(table)) names.set(environmentName(section, key), `${section}.${key}`);
  }
  for (const [name, text] of Object.entries(environment)) {
    if (!name.startsWith('SONDE_') || text === undefined) continue;
    const key = names.get(name);
    if (key === undefined) {
      draft.problems.push(`environment: unknown variable ${name}${suggestion(name, names.keys())}`);
      continue;
    }
    applyValue(draft, key, readText(draft.options.get(key)!, text), `environment ${name}`);
  }
}

/** A text is taken as it is where the option accepts that, else as YAML: `[a, b]`, `4319`, `true`. */
function readText(target: Option<unknown>, text: string): unknown {
  if (target.schema.safeParse(text).success) return text;
  try {
    return parse(text);
  } catch {
    return text; // Not YAML either: the schema's own message says what it expects.
  }
}

function applyValue(
  draft: Draft,
  key: string,
  value: unknown,
  origin: string,
  locate: (steps: readonly PropertyKey[]) => string = () => origin,
): void {
  const target = draft.options.get(key);
  if (target === undefined) throw new Error(`BUG: no option ${key}`);
  const parsed = target.schema.safeParse(value);
  if (!parsed.success) {
    for (const { path, message } of parsed.error.issues) {
      const at = path.length === 0 ? '' : ` at ${path.join('.')}`;
      const part = partAt(value, path);
      const got = target.isSecret || part === undefined ? '' : `, got ${JSON.stringify(part)}`;
      draft.problems.push(`${locate(path)}: ${key}${at}: ${message}${got}`);
    }
    return;
  }
  draft.values.set(key, parsed.data);
  draft.origins.set(key, origin);
}

/** What of a value a mistake is in; undefined where it is missing. */
function partAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let part = value;
  for (const step of path) {
    if (typeof part !== 'object' || part === null) return undefined;
    part = (part as Record<PropertyKey, unknown>)[step];
  }
  return part;
}

function suggestion(name: string, known: Iterable<string>): string {
  const best = nearest(name, known);
  return best === undefined ? '' : `, did you mean "${best}"?`;
}
