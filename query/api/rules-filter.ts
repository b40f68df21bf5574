/** The query parameters of /api/v1/rules, and what they leave. */
import { createHash } from 'node:crypto';
import { RefusedError } from '#model/errors.ts';
import type { GroupRunner } from '../rules/group-runner.ts';
import type { RuleState } from '../rules/group-state.ts';

export interface RulesFilter {
  readonly type: 'alert' | 'record' | undefined;
  readonly ruleNames: ReadonlySet<string>;
  readonly groupNames: ReadonlySet<string>;
  /** A file is a namespace here. */
  readonly files: ReadonlySet<string>;
  readonly excludesAlerts: boolean;
  /** Groups in one answer. */
  readonly groupLimit: number | undefined;
  /** The group that an answer begins with, as the answer before named it. */
  readonly groupToken: string | undefined;
}

/** Query parameters as fastify parses them: text, or a list where a name is repeated. */
export interface RulesQuery {
  readonly type?: unknown;
  readonly exclude_alerts?: unknown;
  readonly [name: string]: unknown;
}

export interface SelectedGroup {
  readonly runner: GroupRunner;
  readonly states: readonly RuleState[];
}

const unsupported = ['match[]'];

/** Throws RefusedError (400) on a value that is none, and on a parameter that would change the answer. */
export function readRulesFilter(query: RulesQuery): RulesFilter {
  for (const name of unsupported) {
    if (query[name] !== undefined) throw new RefusedError(`parameter "${name}" is not supported yet`);
  }
  const type = list(query.type)[0]?.toLowerCase() ?? '';
  if (type !== '' && type !== 'alert' && type !== 'record') {
    throw new RefusedError(`invalid parameter "type": not supported value ${JSON.stringify(type)}`);
  }
  const groupLimit = readLimit(list(query.group_limit)[0]);
  const groupToken = list(query.group_next_token)[0] || undefined;
  if (groupToken !== undefined && groupLimit === undefined) {
    throw new RefusedError('invalid parameter "group_next_token": it needs a group_limit beside it');
  }
  return {
    type: type === '' ? undefined : type,
    ruleNames: new Set(list(query['rule_name[]'])),
    groupNames: new Set(list(query['rule_group[]'])),
    files: new Set(list(query['file[]'])),
    excludesAlerts: readBoolean(list(query.exclude_alerts)[0]),
    groupLimit,
    groupToken,
  };
}

/** Returns the groups and rules that pass. A group without any rule left is left out. */
export function selectGroups(runners: readonly GroupRunner[], filter: RulesFilter): SelectedGroup[] {
  const passes = (set: ReadonlySet<string>, name: string) => set.size === 0 || set.has(name);
  const selected: SelectedGroup[] = [];
  if (filter.type === 'record') return selected;
  for (const runner of runners) {
    const { namespace, name } = runner.stored;
    if (!passes(filter.files, namespace) || !passes(filter.groupNames, name)) continue;
    const states = runner.states.filter(({ rule }) => passes(filter.ruleNames, rule.name));
    if (states.length > 0) selected.push({ runner, states });
  }
  return selected;
}

export interface GroupPage {
  readonly groups: readonly SelectedGroup[];
  /** What to ask for next as group_next_token; undefined behind the last group. */
  readonly nextToken: string | undefined;
}

/** Groups from the token's on; `selected` must come in the same order each time. Throws RefusedError (400) on a token whose group is gone. */
export function pageGroups(selected: readonly SelectedGroup[], filter: RulesFilter): GroupPage {
  const { groupLimit, groupToken } = filter;
  if (groupLimit === undefined) return { groups: selected, nextToken: undefined };
  const first = groupToken === undefined ? 0 : selected.findIndex((group) => tokenOf(group) === groupToken);
  if (first === -1) {
    throw new RefusedError(
      `invalid parameter "group_next_token": no group has ${JSON.stringify(groupToken)}; were rule groups changed?`,
    );
  }
  const next = selected[first + groupLimit];
  return {
    groups: selected.slice(first, first + groupLimit),
    nextToken: next === undefined ? undefined : tokenOf(next),
  };
}

function tokenOf({ runner: { stored } }: SelectedGroup): string {
  return createHash('sha256').update(`${stored.namespace}\0${stored.name}`).digest('hex');
}

/** 0 means no limit, as it does everywhere else. */
function readLimit(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text) === 0 ? undefined : Number(text);
  throw new RefusedError(
    `invalid parameter "group_limit": ${JSON.stringify(text)} is not a whole number from 0 on`,
  );
}

function list(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  return value === undefined ? [] : [String(value)];
}

/** As Go's strconv.ParseBool. */
function readBoolean(text: string | undefined): boolean {
  if (text === undefined || text === '') return false;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw new RefusedError(`invalid parameter "exclude_alerts": ${JSON.stringify(text)} is no boolean`);
}
