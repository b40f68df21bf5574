/**
 * Evaluates one alert rule at one time: query -> results -> labels and annotations -> the alerts' next state.
 */
import { type Labels, metricNameLabel, sortLabels } from '#model/labels.ts';
import type { InstantQuery, InstantSample } from '../instant.ts';
import { type AlertMap, type AlertObservation, advanceAlerts, labelsKey } from './alert-state.ts';
import type { AlertRule, RuleGroup } from './rule-group.ts';
import { renderTemplate, type TemplateData } from './template/template.ts';

/** More alerts of one rule than any receiver could use; a rule may set a lower bound with the group's `limit`. */
const alertsPerRuleMax = 10_000;

export interface EvaluationRequest {
  readonly tenant: string;
  readonly group: RuleGroup;
  readonly rule: AlertRule;
  readonly alerts: AlertMap;
  readonly timeMs: number;
  readonly abort: AbortSignal;
}

export interface EvaluatorOptions {
  readonly instantQuery: InstantQuery;
  readonly externalLabels: Labels;
  readonly externalUrl: string;
}

/**
 * Advances `request.alerts` to the time. Rejects where the query fails or gives what cannot be told apart; the alerts
 * are then as they were, except that a rule over its limit loses them all (as Prometheus).
 */
export async function evaluateRule(options: EvaluatorOptions, request: EvaluationRequest): Promise<void> {
  const { tenant, group, rule, alerts, timeMs, abort } = request;
  const samples = await options.instantQuery({
    tenant,
    query: rule.expr,
    timeMs: timeMs - group.queryOffsetMs,
    abort,
  });
  if (samples.length > alertsPerRuleMax) {
    throw new Error(
      `the query returned ${samples.length} results; a rule may have ${alertsPerRuleMax} alerts`,
    );
  }
  const observations = new Map<string, AlertObservation>();
  for (const sample of samples) {
    const observation = observe(options, rule, sample);
    const key = labelsKey(observation.labels);
    if (observations.has(key)) {
      throw new Error('vector contains metrics with the same labelset after applying alert labels');
    }
    observations.set(key, observation);
  }
  const activeCount = advanceAlerts(alerts, observations, rule, timeMs);
  if (group.limit > 0 && activeCount > group.limit) {
    alerts.clear();
    throw new Error(`exceeded limit of ${group.limit} with ${activeCount} alerts`);
  }
}

/** Returns the rule's annotations, filled in for one result. */
export function renderAnnotations(rule: AlertRule, data: TemplateData): Labels {
  return rule.annotations.map(({ name, template }) => [name, renderTemplate(template, data)] as const);
}

function observe(options: EvaluatorOptions, rule: AlertRule, sample: InstantSample): AlertObservation {
  const data: TemplateData = {
    labels: sample.labels,
    value: sample.value,
    externalLabels: options.externalLabels,
    externalUrl: options.externalUrl,
  };
  const labels = new Map(sample.labels);
  labels.delete(metricNameLabel);
  for (const { name, template } of rule.labels) labels.set(name, renderTemplate(template, data));
  labels.set('alertname', rule.name);
  return { labels: sortLabels(labels), annotations: renderAnnotations(rule, data), value: sample.value };
}
