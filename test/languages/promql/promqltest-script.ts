/**
 * Reads a promqltest script: blocks of a command line and indented lines under it.
 *
 *   load 5m
 *     http_requests{path="/foo"} 0+10x10
 *   eval instant at 50m sum(http_requests)
 *     {} 100
 */

export interface ScriptBlock {
  readonly command: string;
  readonly lines: readonly string[];
  /** Of the command, from 1. */
  readonly lineNumber: number;
}

export function parseScript(text: string): ScriptBlock[] {
  const blocks: { command: string; lines: string[]; lineNumber: number }[] = [];
  let open: { lines: string[] } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.trim();
    // An empty line or a comment ends a block.
    if (trimmed === '' || trimmed.startsWith('#')) open = undefined;
    else if (open !== undefined) open.lines.push(trimmed);
    else {
      const block = { command: trimmed, lines: [], lineNumber: index + 1 };
      blocks.push(block);
      if (trimmed !== 'clear') open = block;
    }
  }
  return blocks;
}

export interface EvalCase {
  readonly expression: string;
  /** Equal for an instant query; then stepMs is 0. */
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly isOrdered: boolean;
  readonly mustFail: boolean;
  readonly failure: TextExpectation | undefined;
  readonly warn: AnnotationExpectation;
  readonly info: AnnotationExpectation;
  readonly string: string | undefined;
  readonly results: readonly string[];
}

/** One of both, or none where any text will do. */
export interface TextExpectation {
  readonly message?: string;
  readonly pattern?: RegExp;
}

/** 'any' says that nothing is expected or forbidden. */
export type AnnotationExpectation = 'any' | 'none' | TextExpectation;

export function parseEval(block: ScriptBlock, parseMs: (text: string) => number): EvalCase {
  const { command, lines } = block;
  const instant = /^eval(?:_(\w+))? instant at (\S+)\s+(.*)$/s.exec(command);
  const range = /^eval(?:_(\w+))? range from (\S+) to (\S+) step (\S+)\s+(.*)$/s.exec(command);
  const mode = instant?.[1] ?? range?.[1];
  const expectations = lines.filter((line) => line.startsWith('expect ') || line.startsWith('expected_fail'));
  const results = lines.filter((line) => !expectations.includes(line));
  const times =
    instant !== null
      ? { startMs: parseMs(instant[2]), endMs: parseMs(instant[2]), stepMs: 0, expression: instant[3] }
      : range !== null
        ? {
            startMs: parseMs(range[2]),
            endMs: parseMs(range[3]),
            stepMs: parseMs(range[4]),
            expression: range[5],
          }
        : undefined;
  if (times === undefined) throw new Error(`line ${block.lineNumber}: no eval: ${command}`);
  const string = find(expectations, 'expect string');
  return {
    ...times,
    isOrdered: mode === 'ordered' || expectations.includes('expect ordered'),
    mustFail: mode === 'fail' || expectations.some((line) => line.startsWith('expect fail')),
    failure: textOf(find(expectations, 'expect fail') ?? legacyFailure(expectations)),
    warn: annotationOf(expectations, 'warn', mode),
    info: annotationOf(expectations, 'info', mode),
    string,
    results,
  };
}

function find(lines: readonly string[], start: string): string | undefined {
  const line = lines.find((one) => one === start || one.startsWith(`${start} `));
  return line?.slice(start.length).trim();
}

function legacyFailure(lines: readonly string[]): string | undefined {
  const message = find(lines, 'expected_fail_message');
  return message === undefined ? undefined : `msg: ${message}`;
}

function textOf(text: string | undefined): TextExpectation | undefined {
  if (text === undefined || text === '') return undefined;
  if (text.startsWith('msg:')) return { message: text.slice(4).trim() };
  if (text.startsWith('regex:')) return { pattern: new RegExp(text.slice(6).trim()) };
  throw new Error(`no expectation: ${text}`);
}

function annotationOf(
  lines: readonly string[],
  kind: 'warn' | 'info',
  mode: string | undefined,
): AnnotationExpectation {
  if (lines.includes(`expect no_${kind}`)) return 'none';
  const text = find(lines, `expect ${kind}`);
  if (text !== undefined) return textOf(text) ?? {};
  return mode === kind ? {} : 'any';
}
