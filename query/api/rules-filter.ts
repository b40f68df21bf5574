/** The query parameters of /api/v1/rules, and what they leave. */
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

const unsupported = ['match[]', 'group_limit', 'group_next_token'];

/** Throws RefusedError (400) on a value that is none, and on a parameter that would change the answer. */
export function readRulesFilter(query: RulesQuery): RulesFilter {
  for (const name of unsupported) {
    if (query[name] !== undefined) throw new RefusedError(`parameter "${name}" is not supported yet`);
  }
  const type = list(query.type)[0]?.toLowerCase() ?? '';
  if (type !== '' && type !== 'alert' && type !== 'record') {
    throw new RefusedError(`invalid parameter "type": not supported value ${JSON.stringify(type)}`);
  }
  return {
    type: type === '' ? undefined : type,
    ruleNames: new Set(list(query['rule_name[]'])),
    groupNames: new Set(list(query['rule_group[]'])),
    files: new Set(list(query['file[]'])),
    excludesAlerts: readBoolean(list(query.exclude_alerts)[0]),
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
