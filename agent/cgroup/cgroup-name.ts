/**
 * What a cgroup's path says of it: whose it is, and which container or pod.
 *
 *   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f1e_..._9a.slice/cri-containerd-<64 hex>.scope
 *     ->  { kind: 'container', containerId: '<64 hex>', podPath: '/kubepods.slice/.../kubepods-burstable-pod0f1e_..._9a.slice' }
 *   /kubepods/besteffort/pod0f1e-...-9a/<64 hex>     the same with the kubelet's driver `cgroupfs`
 *   /system.slice/docker-<64 hex>.scope, /docker/<64 hex>, /machine.slice/libpod-<64 hex>.scope     containers without a pod
 *   /kubepods.slice/kubepods-burstable.slice     ->  { kind: 'qos' }
 *   /                                            ->  { kind: 'root' }
 *   /system.slice/cron.service                   ->  undefined: no container, and cAdvisor's kubelet leaves it out too
 */

export type CgroupIdentity =
  | { readonly kind: 'root' }
  /** All pods, or the pods of one quality of service. */
  | { readonly kind: 'qos' }
  | { readonly kind: 'pod'; readonly podUid: string }
  | {
      readonly kind: 'container';
      readonly containerId: string;
      /** The path of the pod's own cgroup; '' where the container is in no pod. */
      readonly podPath: string;
    };

/** `<runtime>-<id>.scope` of systemd, `<id>` or `<runtime>-<id>` of cgroupfs, `<slice>:<runtime>:<id>` of a mixed-up pair. */
const containerName = /(?:^|[:-])([0-9a-f]{64})(?:\.scope)?$/;
/** The monitor of a container of CRI-O or podman has a cgroup beside it, with the container's id. */
const monitorName = /conmon/;
const podName = /^(?:kubepods(?:-burstable|-besteffort)?-)?pod([0-9a-f][0-9a-f_-]{31,35})(?:\.slice)?$/;
const qosName = /^(?:kubepods(?:-burstable|-besteffort)?\.slice|kubepods)$/;
const qosInKubepods = /^(?:burstable|besteffort)$/;

/** `path` begins with a slash, and is relative to the cgroup file system. */
export function identifyCgroup(path: string): CgroupIdentity | undefined {
  if (path === '/') return { kind: 'root' };
  const slash = path.lastIndexOf('/');
  const parent = path.slice(0, slash);
  const name = path.slice(slash + 1);
  const containerId = monitorName.test(name) ? undefined : containerName.exec(name)?.[1];
  if (containerId !== undefined) {
    const isInPod = podName.test(parent.slice(parent.lastIndexOf('/') + 1));
    return { kind: 'container', containerId, podPath: isInPod ? parent : '' };
  }
  const podUid = podName.exec(name)?.[1];
  if (podUid !== undefined) return { kind: 'pod', podUid: podUid.replaceAll('_', '-') };
  if (qosName.test(name) || (qosInKubepods.test(name) && parent.endsWith('/kubepods')))
    return { kind: 'qos' };
  return undefined;
}
