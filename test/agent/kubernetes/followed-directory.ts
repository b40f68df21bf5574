/** A directory of pods that follows a server of the tests, with its warnings and the calls of a listener. */
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import {
  KubernetesDirectory,
  type KubernetesDirectoryOptions,
} from '#agent/kubernetes/kubernetes-directory.ts';
import type { KubeApiServer } from '../../support/kube-api-server.ts';
import { nodeName } from '../../support/kube-objects.ts';

export interface FollowedDirectory {
  readonly directory: KubernetesDirectory;
  readonly warnings: string[];
  readonly changes: () => number;
}

export function follow(
  server: KubeApiServer,
  changes: Partial<KubernetesDirectoryOptions> = {},
): FollowedDirectory {
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const directory = new KubernetesDirectory({
    endpoint: server.endpoint,
    node: nodeName,
    podLabels: ['*'],
    podAnnotations: [],
    namespaceLabels: [],
    nodeLabels: [],
    isServiceFromLabels: true,
    keepDeletedMs: 60_000,
    hostPath: '/nonexistent',
    log,
    retry: { msMin: 5, msMax: 20 },
    changeQuietMs: 20,
    ...changes,
  });
  onTestFinished(() => directory.stop());
  let count = 0;
  directory.onChange(() => {
    count += 1;
  });
  return { directory, warnings, changes: () => count };
}
