/**
 * Reads YAML as Prometheus does, and remembers on which line each value stands.
 *
 *   parseYamlText('a:\n  b: 08\n').value  ->  { a: { b: '08' } };  .lineOf(['a', 'b'])  ->  2
 *
 * Numbers and booleans stay the text that was written: only the option that takes a value knows whether it is one
 * (`regex: 1.10` is a text).
 */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { ConfigError, errorMessage } from '#model/errors.ts';

export interface YamlText {
  readonly value: unknown;
  /** The line (from 1) of what the path leads to, or of the nearest node above it. */
  lineOf(path: readonly PropertyKey[]): number;
}

/** So deep is no configuration; also keeps the walks below within the stack. */
const depthMax = 50;
const aliasesMax = 1000;

/** Throws ConfigError with the line where the text is not YAML. */
export function parseYamlText(text: string): YamlText {
  checkDepth(text);
  const lines = new LineCounter();
  const document = orConfigError(() =>
    parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true, logLevel: 'error' }),
  );
  const [error] = document.errors;
  if (error !== undefined) {
    throw new ConfigError(`line ${lines.linePos(error.pos[0]).line}: ${error.message}`);
  }
  visit(document, (_key, node) => {
    if (isScalar(node) && isWritten(node.value) && node.source !== undefined) {
      node.value = node.source;
    }
  });
  const value: unknown = orConfigError(() => document.toJS({ maxAliasCount: aliasesMax }));
  return {
    value,
    lineOf(path) {
      let node: unknown = document.contents;
      let line = 1;
      for (const step of path) {
        if (isAlias(node)) node = node.resolve(document);
        if (isMap(node)) {
          const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
          if (pair === undefined) break;
          line = lines.linePos((pair.key as Node).range?.[0] ?? 0).line;
          node = pair.value;
        } else if (isSeq(node)) {
          node = node.items[Number(step)];
          const start = (node as Node | undefined)?.range?.[0];
          if (start !== undefined) line = lines.linePos(start).line;
        } else break;
      }
      return line;
    },
  };
}

/** Aliases that lead nowhere and bad merges are found only now, as errors of the library; it recurses as deep as the text. */
function orConfigError<Value>(parse: () => Value): Value {
  try {
    return parse();
  } catch (error) {
    const fact = error instanceof RangeError ? 'nested too deeply' : errorMessage(error);
    throw new ConfigError(fact, { cause: error });
  }
}

function isWritten(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint';
}

/** What is nested in one line or by indentation is counted before the parser sees it. */
function checkDepth(text: string): void {
  let brackets = 0;
  for (let index = 0, line = 1; index < text.length; index++) {
    const character = text[index];
    if (character === '[' || character === '{') brackets++;
    else if (character === ']' || character === '}') brackets--;
    else if (character === '\n') {
      line++;
      brackets = 0;
      const indent = /^[ -]*/.exec(text.slice(index + 1, index + 1 + 4 * depthMax + 1))![0];
      if (indent.length > 4 * depthMax) throw new ConfigError(`line ${line}: nested too deeply`);
    }
    if (brackets > depthMax) throw new ConfigError(`line ${line}: more than ${depthMax} brackets are open`);
  }
}
