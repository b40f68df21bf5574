/**
 * How many replicas a workload should have: the algorithm of the Kubernetes horizontal pod autoscaler, step by step.
 * value -> proposal (target, tolerance) -> stabilisation windows -> policies -> bounds. Pure: time and history come in.
 *
 *   value 900, target 100 per replica, 5 replicas  ->  9
 */
import type { ReplicaHistory } from './replica-history.ts';
import type { ScalingRules, SignalDefinition } from './signal-definition.ts';

export interface Recommendation {
  readonly desiredReplicas: number;
  /** One sentence: what asked for how many, and what held it back. */
  readonly explanation: string;
}

export interface RecommendationRequest {
  readonly definition: SignalDefinition;
  readonly value: number;
  readonly isActive: boolean;
  readonly currentReplicas: number;
  /** When the value was evaluated: asking again for the same one is the same recommendation. */
  readonly evaluatedAtMs: number;
  readonly nowMs: number;
}

/** Returns the recommendation and notes it in the history. */
export function recommendReplicas(request: RecommendationRequest, history: ReplicaHistory): Recommendation {
  const { definition, currentReplicas: current } = request;
  const { min_replicas: min, max_replicas: max } = definition;
  if (current > max)
    return { desiredReplicas: max, explanation: `${current} replicas are above max_replicas ${max}` };
  if (current < min)
    return { desiredReplicas: min, explanation: `${current} replicas are below min_replicas ${min}` };
  const proposal = propose(request);
  const stabilized = stabilize(request, history, proposal.replicas);
  history.recommend(proposal.replicas, request.evaluatedAtMs);
  const limited = limitRate(request, history, stabilized.replicas);
  const reasons = [proposal.reason, stabilized.reason, limited.reason].filter((reason) => reason !== '');
  return { desiredReplicas: limited.replicas, explanation: reasons.join('; ') };
}

interface Step {
  readonly replicas: number;
  readonly reason: string;
}

function propose(request: RecommendationRequest): Step {
  const { definition, isActive, currentReplicas: current } = request;
  const { target, tolerance } = definition;
  // KEDA takes negative values as 0; a workload cannot have fewer than none.
  const value = Math.max(request.value, 0);
  if (!isActive && definition.min_replicas === 0) {
    return { replicas: 0, reason: `value ${value} is not above the activation threshold` };
  }
  const ratio = value / (target.type === 'average_value' ? target.value * current : target.value);
  if (current > 0 && ratio >= 1 - tolerance && ratio <= 1 + tolerance) {
    return { replicas: current, reason: `value ${value} is within tolerance ${tolerance} of the target` };
  }
  // A target for the whole workload scales what there is; from nothing, one replica is the base.
  const wanted = Math.ceil(
    target.type === 'average_value' ? value / target.value : ratio * Math.max(current, 1),
  );
  const replicas = Math.max(Math.min(wanted, Number.MAX_SAFE_INTEGER), isActive ? 1 : 0);
  return {
    replicas,
    reason: `value ${value} against ${target.type} target ${target.value} asks for ${replicas}`,
  };
}

function stabilize(request: RecommendationRequest, history: ReplicaHistory, proposed: number): Step {
  const { definition, currentReplicas: current, nowMs } = request;
  const since = (rules: ScalingRules) =>
    history.recommendationsSince(nowMs - rules.stabilization_window_seconds * 1000);
  const lowest = Math.min(proposed, ...since(definition.behavior.scale_up));
  const highest = Math.max(proposed, ...since(definition.behavior.scale_down));
  const replicas = Math.min(Math.max(current, lowest), highest);
  if (replicas === proposed) return { replicas, reason: '' };
  const direction = proposed < current || replicas > proposed ? 'scale_down' : 'scale_up';
  return { replicas, reason: `${direction} is stabilised at ${replicas}` };
}

function limitRate(request: RecommendationRequest, history: ReplicaHistory, wanted: number): Step {
  const { definition, currentReplicas: current } = request;
  const { behavior, min_replicas: min, max_replicas: max } = definition;
  if (wanted > current) {
    // From zero there is nothing that a percentage could be of.
    const limit = Math.max(upLimit(request, history, behavior.scale_up), current, current === 0 ? 1 : 0);
    const isDisabled = behavior.scale_up.select_policy === 'disabled';
    const allowed = Math.min(max, isDisabled ? current : limit);
    if (wanted <= allowed) return { replicas: wanted, reason: '' };
    return {
      replicas: allowed,
      reason: allowed === max ? `max_replicas is ${max}` : `scale_up policies allow ${allowed}`,
    };
  }
  if (wanted < current) {
    const limit = Math.min(downLimit(request, history, behavior.scale_down), current);
    const allowed = Math.max(min, limit);
    if (wanted >= allowed) return { replicas: wanted, reason: '' };
    return {
      replicas: allowed,
      reason: allowed === min ? `min_replicas is ${min}` : `scale_down policies allow ${allowed}`,
    };
  }
  return { replicas: wanted, reason: '' };
}

function upLimit(request: RecommendationRequest, history: ReplicaHistory, rules: ScalingRules): number {
  if (rules.select_policy === 'disabled') return request.currentReplicas;
  const limits = rules.policies.map((policy) => {
    const base = periodStart(request, history, policy.period_seconds);
    // Rounded up: a small percentage of few replicas must still allow one more.
    return policy.type === 'pods' ? base + policy.value : Math.ceil(base * (1 + policy.value / 100));
  });
  return rules.select_policy === 'min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(request: RecommendationRequest, history: ReplicaHistory, rules: ScalingRules): number {
  if (rules.select_policy === 'disabled') return request.currentReplicas;
  const limits = rules.policies.map((policy) => {
    const base = periodStart(request, history, policy.period_seconds);
    return policy.type === 'pods' ? base - policy.value : Math.trunc(base * (1 - policy.value / 100));
  });
  return rules.select_policy === 'min' ? Math.max(...limits) : Math.min(...limits);
}

/** How many replicas there were when the policy's period began. */
function periodStart(request: RecommendationRequest, history: ReplicaHistory, periodSeconds: number): number {
  return request.currentReplicas - history.changeSince(request.nowMs - periodSeconds * 1000);
}
