/**
 * Tokens of one action -> a tree that can be filled in without looking anything up.
 *
 *   $value | printf "%.2f"   ->   call printf(string "%.2f", value)
 *
 * Everything that a template may not do is refused here, when the rule is posted.
 */
import { type TemplateFunction, templateFunctions } from './functions.ts';
import { TemplateError, type TemplateToken } from './scanner.ts';

export type TemplateNode =
  | { readonly kind: 'label'; readonly from: 'alert' | 'external'; readonly name: string }
  | { readonly kind: 'value' }
  | { readonly kind: 'externalUrl' }
  | { readonly kind: 'literal'; readonly value: string | number | bigint }
  | { readonly kind: 'call'; readonly function: TemplateFunction; readonly args: readonly TemplateNode[] };

/** Deeper parentheses are a mistake. */
const templateDepthMax = 20;

const statements: ReadonlySet<string> = new Set([
  'if',
  'else',
  'end',
  'range',
  'with',
  'define',
  'template',
  'block',
  'break',
  'continue',
]);

/** Returns the tree of one action. Throws TemplateError. */
export function parseAction(tokens: readonly TemplateToken[]): TemplateNode {
  const cursor = { tokens, index: 0, depth: 0 };
  const node = parsePipeline(cursor);
  const rest = cursor.tokens[cursor.index];
  if (rest.kind !== 'end') throw unexpected(rest);
  return node;
}

interface Cursor {
  readonly tokens: readonly TemplateToken[];
  index: number;
  depth: number;
}

function parsePipeline(cursor: Cursor): TemplateNode {
  let node = parseCommand(cursor, undefined);
  while (cursor.tokens[cursor.index].kind === '|') {
    cursor.index++;
    node = parseCommand(cursor, node);
  }
  return node;
}

function parseCommand(cursor: Cursor, piped: TemplateNode | undefined): TemplateNode {
  const first = cursor.tokens[cursor.index];
  if (first.kind === 'word') return parseCall(cursor, first, piped);
  if (piped !== undefined) {
    throw new TemplateError('"|" must be followed by the name of a function', first.position);
  }
  return parseOperand(cursor);
}

function parseCall(cursor: Cursor, name: TemplateToken, piped: TemplateNode | undefined): TemplateNode {
  const known = templateFunctions.get(name.text);
  if (known === undefined) throw unknownWord(name);
  cursor.index++;
  const args: TemplateNode[] = [];
  const first = cursor.tokens[cursor.index];
  while (!['|', ')', 'end'].includes(cursor.tokens[cursor.index].kind)) {
    const argument = cursor.tokens[cursor.index];
    if (argument.kind === 'word' && templateFunctions.has(argument.text)) {
      throw new TemplateError(
        `a function as an argument needs parentheses: (${argument.text} ...)`,
        argument.position,
      );
    }
    args.push(parseOperand(cursor));
  }
  if (piped !== undefined) args.push(piped);
  if (args.length < known.argumentCountMin || args.length > known.argumentCountMax) {
    throw new TemplateError(`${name.text} takes ${argumentCounts(known)}, not ${args.length}`, name.position);
  }
  const literal = args[0];
  if (known.checkLiteral !== undefined) {
    if (literal.kind !== 'literal' || typeof literal.value !== 'string') {
      throw new TemplateError(
        `the first argument of ${name.text} must be a string in quotes`,
        first.position,
      );
    }
    const mistake = known.checkLiteral(literal.value);
    if (mistake !== undefined) throw new TemplateError(mistake.mistake, first.position + 1 + mistake.offset);
  }
  return { kind: 'call', function: known, args };
}

function parseOperand(cursor: Cursor): TemplateNode {
  const token = cursor.tokens[cursor.index++];
  switch (token.kind) {
    case 'string':
      return { kind: 'literal', value: token.text };
    case 'number':
      return {
        kind: 'literal',
        value: /^[+-]?\d+$/.test(token.text) ? BigInt(token.text) : Number(token.text),
      };
    case 'variable':
      return parseName(token, token.text.slice(1).split('.'), variables);
    case 'field':
      return parseName(token, token.text.slice(1).split('.'), fields);
    case '(':
      return parseGroup(cursor, token);
    case 'word':
      throw unknownWord(token);
    default:
      throw unexpected(token);
  }
}

function parseGroup(cursor: Cursor, open: TemplateToken): TemplateNode {
  if (++cursor.depth > templateDepthMax) {
    throw new TemplateError(`parentheses are nested deeper than ${templateDepthMax}`, open.position);
  }
  const node = parsePipeline(cursor);
  const close = cursor.tokens[cursor.index++];
  if (close.kind !== ')') throw new TemplateError('"(" is not closed by ")"', open.position);
  cursor.depth--;
  return node;
}

const variables = { labels: 'labels', value: 'value', external: 'externalLabels', url: 'externalURL' };
const fields = { labels: 'Labels', value: 'Value', external: 'ExternalLabels', url: 'ExternalURL' };

function parseName(token: TemplateToken, path: readonly string[], names: typeof variables): TemplateNode {
  const [head, name] = path;
  if (path.length === 1 && head === names.value) return { kind: 'value' };
  if (path.length === 1 && head === names.url) return { kind: 'externalUrl' };
  if (path.length === 2 && head === names.labels) return { kind: 'label', from: 'alert', name };
  if (path.length === 2 && head === names.external) return { kind: 'label', from: 'external', name };
  if (path.length === 1 && (head === names.labels || head === names.external)) {
    throw new TemplateError(`${token.text} needs the name of a label: ${token.text}.NAME`, token.position);
  }
  throw new TemplateError(
    `${token.text} is not supported in a template (known: $labels.NAME, $value, $externalLabels.NAME, $externalURL)`,
    token.position,
  );
}

function unknownWord(token: TemplateToken): TemplateError {
  if (statements.has(token.text)) {
    return new TemplateError(`"${token.text}" is not supported in a template yet`, token.position);
  }
  const known = [...templateFunctions.keys()].join(', ');
  return new TemplateError(
    `function "${token.text}" is not supported in a template (known: ${known})`,
    token.position,
  );
}

function unexpected(token: TemplateToken): TemplateError {
  const what = token.kind === 'end' ? 'end of the action' : JSON.stringify(token.text);
  return new TemplateError(`unexpected ${what}`, token.position);
}

function argumentCounts({ argumentCountMin: min, argumentCountMax: max }: TemplateFunction): string {
  if (min !== max) return `at least ${min} argument`;
  return min === 1 ? 'one argument' : `${min} arguments`;
}
