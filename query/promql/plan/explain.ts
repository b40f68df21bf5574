/** A plan as an answer of `explain=1`: the tree with the path of each read, and the statements that were sent. */
import { printPromql } from '../printer.ts';
import type { StepGrid } from '../step-series.ts';
import { type Expression, partsOf, unwrapParentheses } from '../tree.ts';
import type { PathWishes } from './choose-path.ts';
import { requestKey } from './expression-key.ts';
import type { PlannedRead, QueryPlan } from './query-plan.ts';

/** A statement's text and the values of its placeholders. */
export type OnStatement = (sql: string, params: Readonly<Record<string, unknown>>) => void;

export interface Statement {
  readonly sql: string;
  /** Names and values of placeholders; long ones are cut. */
  readonly params: Readonly<Record<string, string>>;
  /** How often it was sent with other values. */
  readonly count: number;
}

export interface ExplainedNode {
  readonly expression: string;
  readonly kind: string;
  /** Of a part that reads samples. */
  readonly read?: ExplainedRead;
  /** The same text in another place has the same value: it is computed once. */
  readonly shared?: true;
  readonly children?: readonly ExplainedNode[];
}

export interface ExplainedRead {
  readonly path: PlannedRead['path'];
  readonly reason: string;
  /** Whether anything was computed by the store, or before. */
  readonly is_pushed_down: boolean;
  readonly steps: { readonly first_ms: number; readonly step_ms: number; readonly count: number };
  /** Samples after the first and up to the second. */
  readonly window_ms: readonly [number, number];
  readonly series?: number;
  /** Steps that come from cells, and the length of time that each cell stands for. */
  readonly cells?: { readonly steps: number; readonly resolution_ms: number; readonly is_exact: boolean };
  /** Another selector asks for the same samples: they are read once. */
  readonly shared_read?: true;
}

export interface Explanation {
  readonly push_down: string;
  readonly max_source_resolution: string;
  readonly plan: ExplainedNode;
  readonly statements: readonly Statement[];
}

const statementsMax = 200;
const paramLengthMax = 200;

/** Remembers the statements of a query, each text once, within bounds. */
export class StatementRecorder {
  readonly #statements = new Map<string, Statement>();

  readonly onStatement: OnStatement = (sql, params) => {
    const known = this.#statements.get(sql);
    if (known === undefined && this.#statements.size >= statementsMax) return;
    const shown = Object.entries(params).map(([name, value]) => [name, shorten(String(value))]);
    this.#statements.set(
      sql,
      known === undefined
        ? { sql: sql.replace(/\s+/g, ' ').trim(), params: Object.fromEntries(shown), count: 1 }
        : { ...known, count: known.count + 1 },
    );
  };

  get statements(): readonly Statement[] {
    return [...this.#statements.values()];
  }
}

function shorten(text: string): string {
  return text.length <= paramLengthMax
    ? text
    : `${text.slice(0, paramLengthMax)}... (${text.length} characters)`;
}

export function explainPlan(
  plan: QueryPlan,
  { pushDown, resolution }: PathWishes,
  statements: readonly Statement[],
): Explanation {
  return {
    push_down: pushDown,
    max_source_resolution: resolution,
    plan: explainNode(plan, plan.expression, new Set()),
    statements,
  };
}

/** `shown` are the keys of shared expressions whose parts were printed. */
function explainNode(plan: QueryPlan, outer: Expression, shown: Set<string>): ExplainedNode {
  const node = unwrapParentheses(outer);
  const read = plan.reads.get(node);
  const key = plan.shared.get(node)?.key;
  const isAgain = key !== undefined && shown.has(key);
  if (key !== undefined) shown.add(key);
  const parts = read === undefined && !isAgain ? partsOf(node) : [];
  const children = parts.map((part) => explainNode(plan, part, shown));
  return {
    expression: printPromql(node),
    kind: node.kind === 'call' ? node.name : node.kind === 'aggregation' ? node.operator : node.kind,
    ...(read === undefined ? {} : { read: explainRead(plan, read) }),
    ...(key !== undefined ? { shared: true as const } : {}),
    ...(children.length === 0 ? {} : { children }),
  };
}

function explainRead(plan: QueryPlan, read: PlannedRead): ExplainedRead {
  const { path, reason, grid, shape, seriesCount, cells } = read;
  const { request } = shape;
  return {
    path,
    reason,
    is_pushed_down: path !== 'kernel',
    steps: stepsOf(grid),
    window_ms: [request.startMs, request.endMs],
    ...(seriesCount === undefined ? {} : { series: seriesCount }),
    ...(cells === undefined
      ? {}
      : {
          cells: {
            steps: cells.stepEnd - cells.stepFirst,
            resolution_ms: cells.resolutionMs,
            is_exact: cells.isExact,
          },
        }),
    ...(path === 'kernel' && plan.sharedRequests.has(requestKey(request))
      ? { shared_read: true as const }
      : {}),
  };
}

function stepsOf({ startMs, stepMs, count }: StepGrid): ExplainedRead['steps'] {
  return { first_ms: startMs, step_ms: count === 1 ? 0 : stepMs, count };
}
