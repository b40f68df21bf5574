/** Rule groups and alerts in the JSON of Prometheus's /api/v1/rules and /api/v1/alerts. */
import { type Alert, ruleStatus } from '../rules/alert-state.ts';
import type { GroupRunner } from '../rules/group-runner.ts';
import type { RuleState } from '../rules/group-state.ts';
import type { NamedTemplate } from '../rules/rule-group.ts';
import { formatFloat } from '../rules/template/go-float.ts';
import type { SelectedGroup } from './rules-filter.ts';

/** Go's zero time: never. */
const zeroTime = '0001-01-01T00:00:00Z';

export function renderGroups(groups: readonly SelectedGroup[], withAlerts: boolean): object[] {
  return groups.map(({ runner, states }) => ({
    name: runner.stored.name,
    file: runner.stored.namespace,
    rules: states.map((state) => renderRule(state, withAlerts)),
    interval: runner.intervalMs / 1000,
    limit: runner.group.limit,
    evaluationTime: runner.evaluationMs / 1000,
    lastEvaluation: renderTime(runner.evaluatedAtMs),
  }));
}

/** The pending and firing alerts of all groups. */
export function renderAlerts(runners: readonly GroupRunner[]): object[] {
  return runners.flatMap((runner) => runner.states.flatMap((state) => renderActive(state)));
}

function renderRule(state: RuleState, withAlerts: boolean): object {
  const { rule } = state;
  return {
    state: ruleStatus(state.alerts.values()),
    name: rule.name,
    query: rule.expr,
    duration: rule.forMs / 1000,
    keepFiringFor: rule.keepFiringForMs / 1000,
    labels: renderTemplates(rule.labels),
    annotations: renderTemplates(rule.annotations),
    ...(withAlerts ? { alerts: renderActive(state) } : {}),
    health: state.health,
    ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
    evaluationTime: state.evaluationMs / 1000,
    lastEvaluation: renderTime(state.evaluatedAtMs),
    type: 'alerting',
  };
}

function renderActive({ alerts }: RuleState): object[] {
  return [...alerts.values()].filter(({ status }) => status !== 'inactive').map(renderAlert);
}

function renderAlert(alert: Alert): object {
  return {
    labels: Object.fromEntries(alert.labels),
    annotations: Object.fromEntries(alert.annotations),
    state: alert.status,
    activeAt: renderTime(alert.activeAtMs),
    ...(alert.keepFiringSinceMs === undefined
      ? {}
      : { keepFiringSince: renderTime(alert.keepFiringSinceMs) }),
    value: formatFloat(alert.value, 'e'),
  };
}

function renderTemplates(templates: readonly NamedTemplate[]): Record<string, string> {
  return Object.fromEntries(templates.map(({ name, template }) => [name, template.source]));
}

function renderTime(timeMs: number | undefined): string {
  return timeMs === undefined ? zeroTime : new Date(timeMs).toISOString();
}
