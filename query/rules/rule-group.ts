/**
 * A rule group: YAML text -> checked rules with their templates read, or every mistake with its line.
 *
 *   name: web
 *   rules: [{ alert: Down, expr: up == 0, for: 5m }]    ->    { name: 'web', rules: [{ name: 'Down', forMs: 300000, ... }] }
 */
import { type Document, isCollection, LineCounter, parseDocument } from 'yaml';
import { RefusedError } from '#model/errors.ts';
import { metricNameLabel } from '#model/labels.ts';
import { ParseError } from '../language/parse-error.ts';
import { parseDurationMs } from '../language/quantity.ts';
import { type RuleGroupShape, type RuleShape, ruleGroupShape, shapeMistake } from './rule-group-shape.ts';
import { TemplateError } from './template/scanner.ts';
import { parseTemplate, type Template } from './template/template.ts';

/** A bound parameter's escapes and hex digits may take four times its bytes, of ClickHouse's 256 KiB for a statement. */
export const ruleGroupBytesMax = 60 * 1024;
/** A shorter interval would evaluate faster than samples arrive. */
const intervalMsMin = 1000;
const intervalMsMax = 24 * 3_600_000;
/** More mistakes than a person reads at once. */
const mistakesMax = 20;

export interface NamedTemplate {
  readonly name: string;
  readonly template: Template;
}

export interface AlertRule {
  readonly name: string;
  readonly expr: string;
  readonly forMs: number;
  readonly keepFiringForMs: number;
  /** The group's labels with the rule's own over them, sorted by name. */
  readonly labels: readonly NamedTemplate[];
  readonly annotations: readonly NamedTemplate[];
}

export interface RuleGroup {
  readonly name: string;
  /** Undefined where the server's default holds. */
  readonly intervalMs: number | undefined;
  readonly queryOffsetMs: number;
  /** Most alerts that one rule may have; 0 is no limit. */
  readonly limit: number;
  readonly rules: readonly AlertRule[];
}

/** Throws ParseError where the query's language refuses the text. */
export type ValidateQuery = (query: string) => void;

/** Returns the group. Throws RefusedError (400) that names each mistake: group, rule, line and reason. */
export function parseRuleGroup(yaml: string, validateQuery: ValidateQuery): RuleGroup {
  const reader = readYaml(yaml);
  const parsed = ruleGroupShape.safeParse(reader.plain, { reportInput: true });
  const mistakes = new MistakeList(reader);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) mistakes.add(issue.path, shapeMistake(issue));
    throw mistakes.refusal();
  }
  const group = buildGroup(parsed.data, mistakes, validateQuery);
  if (mistakes.count > 0) throw mistakes.refusal();
  return group;
}

/** Returns a stored group as plain data for a reply. Texts stay as they were written: "5m" or "007" are no numbers. */
export function plainRuleGroup(yaml: string): Record<string, unknown> {
  const plain = readYaml(yaml).plain as Record<string, unknown>;
  return plain.limit === undefined ? plain : { ...plain, limit: Number(plain.limit) };
}

interface YamlReader {
  readonly plain: unknown;
  readonly document: Document;
  readonly lines: LineCounter;
}

function readYaml(yaml: string): YamlReader {
  if (Buffer.byteLength(yaml) > ruleGroupBytesMax) {
    throw new RefusedError(`a rule group may have ${ruleGroupBytesMax} bytes of YAML`, 413);
  }
  const lines = new LineCounter();
  const document = parseDocument(yaml, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  const error = document.errors[0];
  if (error !== undefined) {
    throw new RefusedError(
      `line ${lines.linePos(error.pos[0]).line}: the YAML cannot be read: ${error.message}`,
    );
  }
  if (!isCollection(document.contents)) {
    throw new RefusedError('the body must be one rule group in YAML, with "name" and "rules"');
  }
  try {
    return { document, lines, plain: document.toJS() };
  } catch (error) {
    // An alias of nothing, or aliases of aliases that would fill the memory.
    if (error instanceof ReferenceError) throw new RefusedError(`the YAML cannot be read: ${error.message}`);
    throw error;
  }
}

type Path = readonly PropertyKey[];

/** Mistakes with the place of each, in the order of their discovery. */
class MistakeList {
  readonly #reader: YamlReader;
  readonly #texts: string[] = [];
  count = 0;

  constructor(reader: YamlReader) {
    this.#reader = reader;
  }

  add(path: Path, reason: string): void {
    if (++this.count > mistakesMax) return;
    const { document } = this.#reader;
    const name = document.getIn(['name']);
    const where = [`group ${JSON.stringify(typeof name === 'string' ? name : '')}`];
    if (path[0] === 'rules' && typeof path[1] === 'number') {
      const rule =
        document.getIn(['rules', path[1], 'alert']) ?? document.getIn(['rules', path[1], 'record']);
      where.push(`rule ${path[1] + 1}${typeof rule === 'string' ? ` ${JSON.stringify(rule)}` : ''}`);
    }
    this.#texts.push(`${where.join(', ')}, line ${this.#line(path)}: ${reason}`);
  }

  refusal(): RefusedError {
    const more = this.count > mistakesMax ? [`and ${this.count - mistakesMax} more mistakes`] : [];
    return new RefusedError([...this.#texts, ...more].join('\n'));
  }

  /** The line of the innermost node of the path that is there. */
  #line(path: Path): number {
    const { document, lines } = this.#reader;
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true) as
        | { range?: [number, number, number] }
        | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  }
}

function buildGroup(shape: RuleGroupShape, mistakes: MistakeList, validateQuery: ValidateQuery): RuleGroup {
  const intervalMs = readDuration(shape.interval, ['interval'], mistakes);
  // Prometheus takes an interval of 0 for "the default".
  if (intervalMs !== 0 && (intervalMs < intervalMsMin || intervalMs > intervalMsMax)) {
    mistakes.add(['interval'], 'interval: must be between 1s and 1d');
  }
  return {
    name: shape.name,
    intervalMs: intervalMs === 0 ? undefined : intervalMs,
    queryOffsetMs: readDuration(shape.query_offset, ['query_offset'], mistakes),
    limit: readLimit(shape.limit, mistakes),
    rules: shape.rules.map((rule, index) =>
      buildRule(
        { ...rule, labels: { ...shape.labels, ...rule.labels } },
        ['rules', index],
        mistakes,
        validateQuery,
      ),
    ),
  };
}

function buildRule(
  shape: RuleShape,
  path: Path,
  mistakes: MistakeList,
  validateQuery: ValidateQuery,
): AlertRule {
  if (shape.record !== undefined && shape.alert !== undefined) {
    mistakes.add(path, 'only one of "record" and "alert" must be set');
  } else if (shape.record !== undefined) {
    mistakes.add([...path, 'record'], 'recording rules are not supported yet');
  } else if (shape.alert === undefined || shape.alert === '') {
    mistakes.add(path, '"alert" must be set to the name of the alert');
  }
  checkQuery(shape.expr, [...path, 'expr'], mistakes, validateQuery);
  return {
    name: shape.alert ?? '',
    expr: shape.expr,
    forMs: readDuration(shape.for, [...path, 'for'], mistakes),
    keepFiringForMs: readDuration(shape.keep_firing_for, [...path, 'keep_firing_for'], mistakes),
    labels: readTemplates(shape.labels, [...path, 'labels'], mistakes),
    annotations: readTemplates(shape.annotations, [...path, 'annotations'], mistakes),
  };
}

function checkQuery(expr: string, path: Path, mistakes: MistakeList, validateQuery: ValidateQuery): void {
  if (expr.trim() === '') {
    mistakes.add(path, 'expr: must not be empty');
    return;
  }
  try {
    validateQuery(expr);
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    mistakes.add(path, `expr: ${error.message}`);
  }
}

function readDuration(text: string | undefined, path: Path, mistakes: MistakeList): number {
  if (text === undefined) return 0;
  const ms = parseDurationMs(text);
  if (ms === undefined) mistakes.add(path, `${String(path.at(-1))}: not a valid duration string: "${text}"`);
  return ms ?? 0;
}

function readLimit(text: string | undefined, mistakes: MistakeList): number {
  if (text === undefined) return 0;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  mistakes.add(['limit'], `limit: must be a whole number, not ${JSON.stringify(text)}`);
  return 0;
}

function readTemplates(
  texts: Readonly<Record<string, string>> | undefined,
  path: Path,
  mistakes: MistakeList,
): NamedTemplate[] {
  const templates: NamedTemplate[] = [];
  for (const [name, text] of Object.entries(texts ?? {})) {
    const at = [...path, name];
    if (name === '' || (path.at(-1) === 'labels' && name === metricNameLabel)) {
      mistakes.add(at, `${String(path.at(-1))}: the name ${JSON.stringify(name)} is not allowed`);
      continue;
    }
    try {
      templates.push({ name, template: parseTemplate(text) });
    } catch (error) {
      if (!(error instanceof TemplateError)) throw error;
      mistakes.add(at, `${String(path.at(-1))}.${name}: ${error.message}`);
    }
  }
  return templates.sort((a, b) => (a.name < b.name ? -1 : 1));
}
