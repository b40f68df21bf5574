/** The rules of a container from all places that may hold them: its own first, then what other collectors understand. */
import { applyAliyunEnvironment, applyAliyunLabels } from './rules/aliyun-labels.ts';
import { applyPodAnnotations } from './rules/pod-annotations.ts';
import { type DraftedRules, RuleDraft } from './rules/rule-draft.ts';
import { applySondeLabels } from './rules/sonde-labels.ts';

/** Of a Docker or compose container. `environment` needs only the variables that isAliyunVariable accepts. */
export function dockerRules(
  labels: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
): DraftedRules {
  const draft = new RuleDraft();
  applySondeLabels(draft, labels);
  applyAliyunLabels(draft, labels);
  applyAliyunEnvironment(draft, environment);
  return draft.build();
}

/** Of a container of a pod; `containers` are the names of all of them. */
export function podRules(
  annotations: Readonly<Record<string, string>>,
  environment: Readonly<Record<string, string>>,
  container: string,
  containers: readonly string[],
): DraftedRules {
  const draft = new RuleDraft();
  applyPodAnnotations(draft, annotations, container, containers);
  applyAliyunLabels(draft, annotations);
  applyAliyunEnvironment(draft, environment);
  return draft.build();
}
