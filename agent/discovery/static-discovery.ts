/** Targets that the configuration names itself (static_configs). */
import type { StartDiscovery } from './target-group.ts';

export interface StaticGroup {
  readonly targets: readonly string[];
  readonly labels?: Readonly<Record<string, string>> | null | undefined;
}

export function staticDiscovery(configs: readonly StaticGroup[]): StartDiscovery {
  return (onGroups) => {
    onGroups(
      configs.map(({ targets, labels }, index) => ({
        source: String(index),
        targets: targets.map((address) => ({ __address__: address })),
        labels: labels ?? {},
      })),
    );
    return { problem: () => '', stop: async () => {} };
  };
}
