/** Text that is equal exactly where two expressions mean the same reads: without positions, matchers in one order. */
import type { SampleRequest } from '../source.ts';
import type { StepGrid } from '../step-series.ts';
import type { Expression } from '../tree.ts';

/** Of an expression on its grid. Parentheses stay: annotations have positions, and two places must pair up. */
export function expressionKey(expression: Expression, { startMs, stepMs, count }: StepGrid): string {
  const text = JSON.stringify(expression, (key, value: unknown) => {
    if (typeof value === 'number' && (key === 'start' || key === 'end')) return undefined;
    if (key === 'matchers') return sortedMatchers(value as SampleRequest['matchers']);
    // A number that JSON has no word for must not become null.
    return typeof value === 'number' && !Number.isFinite(value) ? String(value) : negativeZero(value);
  });
  return `${startMs}/${count === 1 ? 0 : stepMs}/${count} ${text}`;
}

function negativeZero(value: unknown): unknown {
  return Object.is(value, -0) ? '-0' : value;
}

export function requestKey({ matchers, startMs, endMs }: SampleRequest): string {
  return `${startMs}/${endMs} ${sortedMatchers(matchers)}`;
}

function sortedMatchers(matchers: SampleRequest['matchers']): string {
  return JSON.stringify(matchers.map(({ name, op, value }) => JSON.stringify([name, op, value])).sort());
}
