/**
 * Which workload a pod belongs to, from its owner's name alone: no call to the API for each pod.
 *
 *   ReplicaSet cart-5d9c7b6f4, label pod-template-hash 5d9c7b6f4  ->  k8s.deployment.name cart, k8s.replicaset.name ...
 *   Job backup-29384710                                           ->  k8s.cronjob.name backup, k8s.job.name ...
 */
import type { PodRecord } from './pod-record.ts';

const hashLabel = 'pod-template-hash';
/** A CronJob names its Jobs after the scheduled minute; until Kubernetes 1.21 it was the second. */
const scheduledJob = /^(.+)-\d{8,10}$/;

const ownerPrefixes: Readonly<Record<string, string>> = {
  ReplicaSet: 'k8s.replicaset',
  StatefulSet: 'k8s.statefulset',
  DaemonSet: 'k8s.daemonset',
  Job: 'k8s.job',
  ReplicationController: 'k8s.replicationcontroller',
};

/** Returns the attributes of the pod's owner and, where its name tells, of the owner's owner (semantic conventions: k8s). */
export function workloadAttributes({
  owner,
  labels,
}: Pick<PodRecord, 'owner' | 'labels'>): Record<string, string> {
  const prefix = owner && Object.hasOwn(ownerPrefixes, owner.kind) ? ownerPrefixes[owner.kind] : undefined;
  if (owner === undefined || prefix === undefined) return {};
  const attributes: Record<string, string> = { [`${prefix}.name`]: owner.name, [`${prefix}.uid`]: owner.uid };
  const hash = labels[hashLabel];
  if (owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`)) {
    attributes['k8s.deployment.name'] = owner.name.slice(0, -hash.length - 1);
  }
  const cronJob = owner.kind === 'Job' ? scheduledJob.exec(owner.name)?.[1] : undefined;
  if (cronJob !== undefined) attributes['k8s.cronjob.name'] = cronJob;
  return attributes;
}
