/**
 * Goal: a container is found in the cgroups of every runtime and driver, and nothing else is taken for one.
 * Method: a table of paths as hosts have them, with what they are as short text.
 */
import { expect, test } from 'vitest';
import { identifyCgroup } from '#agent/cgroup/cgroup-name.ts';

const id = 'a1'.repeat(32);
const uid = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0';
const uidOfSlice = uid.replaceAll('-', '_');
const podSlice = `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${uidOfSlice}.slice`;

function show(path: string): string {
  const identity = identifyCgroup(path);
  if (identity?.kind === 'container') {
    expect(identity.containerId).toBe(id);
    return identity.podPath === '' ? 'container' : `container of ${identity.podPath}`;
  }
  return identity?.kind === 'pod' ? `pod ${identity.podUid}` : (identity?.kind ?? 'nothing');
}

test.each([
  ['/', 'root'],
  ['/kubepods.slice', 'qos'],
  ['/kubepods.slice/kubepods-besteffort.slice', 'qos'],
  ['/kubepods', 'qos'],
  ['/kubepods/burstable', 'qos'],
  [podSlice, `pod ${uid}`],
  [`/kubepods.slice/kubepods-pod${uidOfSlice}.slice`, `pod ${uid}`],
  [`/kubepods/besteffort/pod${uid}`, `pod ${uid}`],
  [`/kubepods/pod${uid}`, `pod ${uid}`],
  // A static pod's uid is a hash.
  [`/kubepods/burstable/pod${'ab'.repeat(16)}`, `pod ${'ab'.repeat(16)}`],
  [`${podSlice}/cri-containerd-${id}.scope`, `container of ${podSlice}`],
  [`${podSlice}/crio-${id}.scope`, `container of ${podSlice}`],
  [`${podSlice}/docker-${id}.scope`, `container of ${podSlice}`],
  [`/kubepods/besteffort/pod${uid}/${id}`, `container of /kubepods/besteffort/pod${uid}`],
  [`/kubepods/besteffort/pod${uid}/crio-${id}`, `container of /kubepods/besteffort/pod${uid}`],
  [`/system.slice/docker-${id}.scope`, 'container'],
  [`/docker/${id}`, 'container'],
  [`/machine.slice/libpod-${id}.scope`, 'container'],
  [`/libpod_parent/libpod-${id}`, 'container'],
  [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope`, 'container'],
  [`/system.slice/kubepods-burstable-pod${uidOfSlice}.slice:cri-containerd:${id}`, 'container'],
  [`/system.slice/nerdctl-${id}.scope`, 'container'],
  [`/machine.slice/libpod-conmon-${id}.scope`, 'nothing'],
  [`/system.slice/crio-conmon-${id}.scope`, 'nothing'],
  ['/system.slice/docker.service', 'nothing'],
  ['/user.slice/user-1000.slice/session-3.scope', 'nothing'],
  [`/docker/${id}0`, 'nothing'],
  [`/docker/${id.slice(1)}`, 'nothing'],
  ['/burstable', 'nothing'],
  ['/podman', 'nothing'],
  [`/${'a-'.repeat(120)}x`, 'nothing'],
])('%s is %s', (path, expected) => expect(show(path)).toBe(expected));
